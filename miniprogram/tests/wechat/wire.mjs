/** Real HTTP, from an address of the phone's own. */
import { request } from 'node:http'

/** `{status, headers, text}` of one exchange. Raises; `timeout` in ms. */
export function exchange(address, { method = 'GET', headers = {}, body, from, timeout = 60_000 } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(address, { method, headers, localAddress: from, agent: false }, (answer) => {
      const parts = []
      answer.on('data', part => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString('utf8') }))
    })
    asked.setTimeout(timeout, () => asked.destroy(new Error('timeout')))
    asked.on('error', reject)
    asked.end(body)
  })
}

/** The sandbox's control interface: `control(method, path, body)`; the answer's JSON. Raises. */
export function controlAt(address) {
  return async (method, path, body = {}) => {
    const content = JSON.stringify(body)
    const { status, text } = await exchange(address + path, {
      method, body: content, headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) },
    })
    if (status >= 400)
      throw new Error(`${method} ${path} answered ${status}: ${text.slice(0, 300)}`)
    return JSON.parse(text || 'null')
  }
}
