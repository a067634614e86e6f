/** A server for tests: answers in the order they were given, and remembers what it was asked. */
import type { Got, Sent } from '../../src/api/transport'
import { wire } from '../../src/api/request'

export interface Asked extends Sent {
  json: unknown
}

export function server(...answers: (Got | Error | ((sent: Sent) => Got | Error))[]): { asked: Asked[], waited: number[] } {
  const asked: Asked[] = []
  const waited: number[] = []
  wire(async (sent) => {
    asked.push({ ...sent, json: sent.body === undefined ? undefined : JSON.parse(sent.body) })
    const next = answers.shift()
    const answer = typeof next === 'function' ? next(sent) : next
    if (answer === undefined)
      throw new Error(`nothing more was to be asked, but ${sent.method} ${sent.address} was`)
    if (answer instanceof Error)
      throw answer
    return answer
  }, async (ms) => {
    waited.push(ms)
  })
  return { asked, waited }
}

export function ok(content: unknown, status = 200): Got {
  return { status, headers: {}, content }
}

export function no(status: number, code: string, message = '不行。', headers: Record<string, string> = {}): Got {
  return { status, headers, content: { error: { code, message, request_id: 'R1' } } }
}
