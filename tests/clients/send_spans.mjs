// Sends spans with OpenTelemetry's SDK: node send_spans.mjs '{"exporter": grpc|http|proto, "url": URL, …}'.
import { SpanKind, SpanStatusCode, TraceFlags, context, createTraceState, trace } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

const asked = JSON.parse(process.argv[2])
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${asked.exporter}`)
const exporter = new OTLPTraceExporter({ url: asked.url, compression: asked.compression })
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': asked.service, cores: 8, load: 0.5 }),
  spanProcessors: [new BatchSpanProcessor({ exporter })],
})
const tracer = provider.getTracer('orders', '1.4.0', { schemaUrl: 'https://opentelemetry.io/schemas/1.40.0' })
const remote = trace.setSpan(context.active(), trace.wrapSpanContext({
  traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED,
  isRemote: true, traceState: createTraceState('vendor=x'),
}))
const at = (offset_ms) => asked.base_ms + offset_ms

const span = tracer.startSpan('GET /order/{id} 🚀', {
  kind: SpanKind.SERVER, startTime: at(0),
  attributes: { 'http.method': 'GET', 'http.status_code': 503, retried: true, ratio: 0.25, list: ['x', 'y'], n: -3 },
  links: [{
    context: {
      traceId: '00000000000000000000000000000007', spanId: '0000000000000008', traceFlags: TraceFlags.NONE,
      traceState: createTraceState('other=y'),
    },
    attributes: { why: 'retry' },
  }],
}, remote)
span.addEvent('failed', { code: 7 }, at(1))
span.setStatus({ code: SpanStatusCode.ERROR, message: 'no stock "ü"' })
tracer.startSpan('child', { startTime: at(2) }, trace.setSpan(context.active(), span)).end(at(3))
span.end(at(4))
await provider.forceFlush()
await provider.shutdown()
