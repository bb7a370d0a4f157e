// Reads a JSON list of queries and writes a JSON list of booleans: whether Grafana's grammar takes each whole.
import { readFileSync } from 'node:fs'
import { parser } from '@grafana/lezer-logql'

const queries = JSON.parse(readFileSync(0, 'utf8'))
const taken = queries.map((query) => {
  let whole = true
  parser.parse(query).iterate({ enter: (node) => { if (node.type.isError) whole = false } })
  return whole
})
console.log(JSON.stringify(taken))
