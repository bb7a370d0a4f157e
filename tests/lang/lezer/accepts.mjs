// Reads a JSON list of queries and writes a JSON list of booleans: whether the grammar takes each whole.
// Called with the language: logql or traceql.
import { readFileSync } from 'node:fs'

const { parser } = await import(`@grafana/lezer-${process.argv[2]}`)
const queries = JSON.parse(readFileSync(0, 'utf8'))
const taken = queries.map((query) => {
  let whole = true
  parser.parse(query).iterate({ enter: (node) => { if (node.type.isError) whole = false } })
  return whole
})
console.log(JSON.stringify(taken))
