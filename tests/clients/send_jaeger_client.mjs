// Sends two spans with jaeger-client: node send_jaeger_client.mjs '{"url": URL}', or '{"port": PORT}' over UDP.
import { createRequire } from 'node:module'

const { initTracer } = createRequire(import.meta.url)('jaeger-client')
const asked = JSON.parse(process.argv[2])
const where = asked.url ? { collectorEndpoint: asked.url } : { agentHost: '127.0.0.1', agentPort: asked.port }
const tracer = initTracer(
  { serviceName: 'shop', sampler: { type: 'const', param: 1 }, reporter: { ...where, flushIntervalMs: 100 } },
  { tags: { team: 'red' } },
)
const span = tracer.startSpan('order', { startTime: asked.base_ms })
const tags = { n: 7, ratio: 0.5, late: true, city: 'Zürich 🚀', error: true, 'span.kind': 'server' }
for (const [name, value] of Object.entries(tags)) span.setTag(name, value)
span.log({ event: 'failed', code: 7 }, asked.base_ms + 1)
tracer.startSpan('stock', { childOf: span, startTime: asked.base_ms + 2 }).finish(asked.base_ms + 3)
span.finish(asked.base_ms + 5)
setTimeout(() => tracer.close(() => process.exit(0)), 300)
