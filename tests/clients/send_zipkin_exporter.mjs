// Sends a span with OpenTelemetry's Zipkin exporter: node send_zipkin_exporter.mjs '{"url": URL, "base_ms": TIME}'.
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

const asked = JSON.parse(process.argv[2])
const exporter = new ZipkinExporter({ url: asked.url })
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop', cores: 8 }),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
})
const span = provider.getTracer('orders', '1.4.0').startSpan('order 🚀', {
  kind: SpanKind.CLIENT, startTime: asked.base_ms, attributes: { n: 7, 'peer.service': 'stock' },
})
span.addEvent('failed', { code: 7 }, asked.base_ms + 1)
span.setStatus({ code: SpanStatusCode.ERROR, message: 'no stock' })
span.end(asked.base_ms + 5)
await provider.forceFlush()
await provider.shutdown()
