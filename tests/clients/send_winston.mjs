// Sends lines with winston-loki: node send_winston.mjs '{"address": URL, "json": true|false, "base_ms": N}'.
import winston from 'winston'
import LokiTransport from 'winston-loki'

const asked = JSON.parse(process.argv[2])
const failures = []
const transport = new LokiTransport({
  host: asked.address, json: asked.json, batching: true, interval: 30, replaceTimestamp: false,
  labels: { app: asked.app, env: 'prüfung' }, format: winston.format.json(), gracefulShutdown: false,
  onConnectionError: (error) => failures.push(String(error)),
})
const logger = winston.createLogger({ level: 'debug', transports: [transport] })

logger.log({ level: 'info', message: 'order accepted', order: 17, customer: { id: 'c-9' }, timestamp: asked.base_ms })
logger.log({ level: 'warn', message: 'über "quoted"\nsecond line \\ 🚀', timestamp: asked.base_ms + 1 })
logger.log({ level: 'error', message: 'no stock', labels: { shop: 'b' }, timestamp: asked.base_ms + 2 })

// What is batched leaves now and not at the end of the interval.
setImmediate(async () => {
  await transport.close()
  console.log(JSON.stringify({ failures }))
  process.exit(failures.length ? 1 : 0)
})
