// Sends records with OpenTelemetry's SDK: node send_opentelemetry.mjs '{"exporter": grpc|http|proto, "url": URL, …}'.
import { TraceFlags, context, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'

const asked = JSON.parse(process.argv[2])
const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${asked.exporter}`)
const exporter = new OTLPLogExporter({ url: asked.url, compression: asked.compression })
const provider = new LoggerProvider({
  resource: resourceFromAttributes({
    'service.name': asked.service, 'service.namespace': 'shop', 'k8s.pod.name': 'pod-7', 'host.name': 'h1', cores: 8,
  }),
  processors: [new BatchLogRecordProcessor({ exporter })],
})
const logger = provider.getLogger('orders', '1.4.0', { schemaUrl: 'https://opentelemetry.io/schemas/1.40.0' })
const span = trace.setSpan(context.active(), trace.wrapSpanContext({
  traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED,
}))

logger.emit({
  timestamp: asked.base_ms, observedTimestamp: asked.base_ms + 5, severityNumber: SeverityNumber.WARN2,
  severityText: 'WARNING', body: 'über "quoted"\nsecond line \\ 🚀', eventName: 'order.late', context: span,
  attributes: { 'http.method': 'GET', 'http.status_code': 503, retried: true, ratio: 0.25, list: ['x', 'y'] },
})
logger.emit({
  timestamp: asked.base_ms + 1, observedTimestamp: asked.base_ms + 6, severityNumber: SeverityNumber.ERROR,
  body: { message: 'failed', code: 7, parts: [1, 'two', null] }, attributes: { 'deep.map': { a: { b: 'c' } } },
})
await provider.forceFlush()
await provider.shutdown()
