// Sends a span with zipkin-js: node send_zipkin.mjs '{"url": URL, "encoder": JSON_V1|JSON_V2}'.
import transport from 'zipkin-transport-http'
import zipkin from 'zipkin'

const { Annotation, BatchRecorder, ExplicitContext, InetAddress, Tracer, jsonEncoder } = zipkin
const asked = JSON.parse(process.argv[2])
const logger = new transport.HttpLogger({
  endpoint: asked.url, jsonEncoder: jsonEncoder[asked.encoder], httpInterval: 100,
})
const tracer = new Tracer({
  ctxImpl: new ExplicitContext(), recorder: new BatchRecorder({ logger }), localServiceName: 'shop', traceId128Bit: true,
})
tracer.scoped(() => {
  tracer.setId(tracer.createRootId())
  tracer.recordServiceName('shop')
  tracer.recordRpc('get')
  tracer.recordAnnotation(new Annotation.ClientSend())
  tracer.recordBinary('http.path', '/order 🚀')
  tracer.recordMessage('half way')
  tracer.recordAnnotation(new Annotation.LocalAddr({ host: new InetAddress('10.0.0.1'), port: 8080 }))
  tracer.recordAnnotation(
    new Annotation.ServerAddr({ serviceName: 'stock', host: new InetAddress('10.0.0.2'), port: 9000 }),
  )
  tracer.recordAnnotation(new Annotation.ClientRecv())
})
setTimeout(() => process.exit(0), 1000)
