// Sends lines with pino through pino-loki: node send_pino.mjs '{"address": URL, "app": NAME, "base_ms": N}'.
import pino from 'pino'
import pinoLoki from 'pino-loki'

const asked = JSON.parse(process.argv[2])
const transport = pinoLoki({
  host: asked.address, labels: { application: asked.app }, propsToLabels: ['shop'], batching: { interval: 30 },
  structuredMetaKey: 'meta',
})
let now = 0
const logger = pino({ level: 'trace', base: { hostname: 'node-1' }, timestamp: () => `,"time":${now++}` }, transport)

now = asked.base_ms
logger.info({ meta: { recordId: 123, traceparent: 'abc', nested: { a: 1 } } }, 'hello')
logger.warn({ shop: 'a', tags: ['x', 'y'] }, 'über "quoted"\nsecond line \\ 🚀')
logger.error(new Error('no stock'), 'failed')
logger.trace('fine')
transport.on('close', () => process.exit(0)) // the last batch has been answered
transport.end()
