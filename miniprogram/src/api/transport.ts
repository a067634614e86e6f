/** One exchange over HTTP, and nothing else: no session, no retry, no words on the screen. */
import { Failure } from './errors'

export interface Sent {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  address: string
  headers: Record<string, string>
  body: string | undefined
  /** Milliseconds after which the answer is not waited for any longer. */
  within: number
}

export interface Got {
  status: number
  headers: Record<string, string>
  /** The parsed JSON; undefined when there is none. */
  content: unknown
}

export type Transport = (sent: Sent) => Promise<Got>

/** Raises `Failure` (`offline`, `slow`) when no answer came. */
export const overNetwork: Transport = sent => new Promise((resolve, reject) => {
  uni.request({
    url: sent.address,
    method: sent.method,
    header: sent.headers,
    ...(sent.body === undefined ? {} : { data: sent.body }),
    timeout: sent.within,
    dataType: 'text',
    responseType: 'text',
    success: (answer) => {
      const headers = Object.fromEntries(
        Object.entries(answer.header as Record<string, string>).map(([name, value]) => [name.toLowerCase(), String(value)]),
      )
      resolve({ status: answer.statusCode, headers, content: parsed(answer.data) })
    },
    fail: ({ errMsg }) => reject(new Failure(/time\s?out/i.test(errMsg) ? 'slow' : 'offline')),
  })
})

function parsed(text: unknown): unknown {
  if (typeof text !== 'string')
    return text
  try {
    return text === '' ? undefined : JSON.parse(text)
  }
  catch {
    return undefined
  }
}
