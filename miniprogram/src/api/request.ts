/**
 * The one way to the functions: `get`, `post`, `put`, `remove`, typed by `docs/openapi.json`.
 *
 * It knows the session, keys of intentions, time-outs and what may be tried again; every failure is a `Failure`. It
 * shows nothing: what to do about a failure is the page's.
 */
import type { paths } from './schema'
import type { Got, Sent, Transport } from './transport'
import { Failure } from './errors'
import { answered, keyOf } from './intentions'
import { heard } from './server-time'
import { overNetwork } from './transport'

type Method = 'get' | 'post' | 'put' | 'delete'
type With<M extends Method> = { [P in keyof paths]: paths[P] extends { [K in M]: object } ? P : never }[keyof paths]
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M & keyof paths[P]]>
type Params<O> = O extends { parameters: { path: infer V } } ? { path: V } : { path?: never }
type Query<O> = O extends { parameters: { query: infer V } }
  ? { query: V }
  : O extends { parameters: { query?: infer V } } ? { query?: V } : { query?: never }
type Body<O> = O extends { requestBody: { content: { 'application/json': infer V } } } ? { body: V } : { body?: never }
type Keyed<O> = O extends { parameters: { header: { 'Idempotency-Key': string } } } ? { intention: string } : { intention?: never }
type Options<O> = Params<O> & Query<O> & Body<O> & Keyed<O> & { ticket?: string, asNobody?: true }
type Json<R> = R extends { content: { 'application/json': infer V } } ? V : undefined
type Answer<O> = O extends { responses: infer R } ? Json<R[Extract<keyof R, 200 | 201 | 202 | 204>]> : never
type Rest<O> = Record<never, never> extends Options<O> ? [options?: Options<O>] : [options: Options<O>]

/** Who we are to the server. The session sets it; without one only what is open to all is answered. */
export interface Credentials {
  /** The headers of the session there is; empty before the first sign-in. */
  headers: () => Record<string, string>
  /** Waits for a sign-in that is under way; whether it succeeded the next answer tells. */
  ready: () => Promise<void>
  /** A new session instead of the one whose headers were refused; raises `Failure`. */
  renew: (refused: Record<string, string>) => Promise<void>
}

const BASE: string = import.meta.env.VITE_API_BASE ?? ''
const READS_IN = 10_000
const WRITES_IN = 35_000 // a payment is opened behind two systems, each of which may take its time
const TRIES = 3
const BUSY = [429, 432, 503] // 432: the platform's own word for too many at once

let credentials: Credentials = { headers: () => ({}), ready: () => Promise.resolve(), renew: () => Promise.reject(new Failure('ended')) }
let transport: Transport = overNetwork
let sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

/** Let the session speak for us. */
export function actAs(session: Credentials): void {
  credentials = session
}

/** For tests: another wire, and a clock that does not make one wait. */
export function wire(other: Transport, waits: (ms: number) => Promise<void>): void {
  transport = other
  sleep = waits
}

export function get<P extends With<'get'>>(path: P, ...rest: Rest<Operation<P, 'get'>>): Promise<Answer<Operation<P, 'get'>>> {
  return send('GET', path, rest[0])
}

export function post<P extends With<'post'>>(path: P, ...rest: Rest<Operation<P, 'post'>>): Promise<Answer<Operation<P, 'post'>>> {
  return send('POST', path, rest[0])
}

export function put<P extends With<'put'>>(path: P, ...rest: Rest<Operation<P, 'put'>>): Promise<Answer<Operation<P, 'put'>>> {
  return send('PUT', path, rest[0])
}

export function remove<P extends With<'delete'>>(path: P, ...rest: Rest<Operation<P, 'delete'>>): Promise<Answer<Operation<P, 'delete'>>> {
  return send('DELETE', path, rest[0])
}

/** Where a picture of ours is, by its path as the server has given it. */
export function picture(path: string): string {
  return BASE + path
}

interface Loose {
  path?: Record<string, unknown>
  query?: Record<string, unknown>
  body?: unknown
  intention?: string
  ticket?: string
  /** Signing in itself: with no session, and a refusal is no reason to sign in again. */
  asNobody?: true
}

async function send<T>(method: Sent['method'], path: string, options: unknown): Promise<T> {
  const { path: parts = {}, query = {}, body, intention, ticket, asNobody } = (options ?? {}) as Loose
  const sent: Omit<Sent, 'headers'> = {
    method,
    address: BASE + filled(path, parts) + asked(query),
    body: body === undefined ? undefined : JSON.stringify(body),
    within: method === 'GET' ? READS_IN : WRITES_IN,
  }
  const extra: Record<string, string> = {
    ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(intention === undefined ? {} : { 'Idempotency-Key': await keyOf(intention) }),
    ...(ticket === undefined ? {} : { 'X-Ticket': ticket }),
  }
  const isRepeatable = method === 'GET' || intention !== undefined
  try {
    const content = await persistently(sent, extra, isRepeatable, asNobody ? transport : signed)
    if (intention !== undefined)
      answered(intention)
    return content as T
  }
  catch (thrown) {
    if (intention !== undefined && thrown instanceof Failure && thrown.isFinal)
      answered(intention)
    throw thrown
  }
}

/** Until there is an answer: what was refused for now is tried again, what may have arrived only if it may be repeated. */
async function persistently(
  sent: Omit<Sent, 'headers'>, headers: Record<string, string>, isRepeatable: boolean, exchange: Transport,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return understood(await exchange({ ...sent, headers }))
    }
    catch (thrown) {
      if (!(thrown instanceof Failure) || attempt === TRIES || !mayRepeat(thrown, isRepeatable))
        throw thrown
      await sleep(pause(thrown, attempt))
    }
  }
}

function mayRepeat(failed: Failure, isRepeatable: boolean): boolean {
  if (failed.trouble === 'busy')
    return failed.wait <= 3 && failed.code !== 'ticket_required' // the same request would be refused like this for ever
  return isRepeatable && (failed.trouble === 'offline' || failed.trouble === 'slow' || failed.trouble === 'broken')
}

/** Spread over the second after the wait that was asked for, so that not all come back at once. */
function pause(failed: Failure, attempt: number): number {
  return failed.wait * 1000 + attempt * 300 + Math.random() * 700
}

/** With our session; when it has ended, with a new one. Requests under way together renew it once: see the session. */
async function signed(sent: Sent): Promise<Got> {
  await credentials.ready()
  const shown = credentials.headers()
  const got = await transport({ ...sent, headers: { ...sent.headers, ...shown } })
  if (got.status !== 401)
    return got
  await credentials.renew(shown)
  return transport({ ...sent, headers: { ...sent.headers, ...credentials.headers() } })
}

function understood(got: Got): unknown {
  heard(got.headers.date)
  if (got.status >= 200 && got.status < 300)
    return got.content
  const error = (got.content as { error?: Record<string, unknown> } | undefined)?.error
  const told = {
    code: String(error?.code ?? ''),
    sentence: String(error?.message ?? ''),
    fields: Array.isArray(error?.fields) ? error.fields.map(String) : [],
    requestId: String(error?.request_id ?? ''),
    wait: Number(got.headers['retry-after']) || 0,
  }
  if (got.status === 401)
    throw new Failure('ended')
  if (BUSY.includes(got.status))
    throw new Failure('busy', told)
  if (got.status >= 500 || error === undefined)
    throw new Failure('broken', told)
  throw new Failure('refused', told)
}

function filled(path: string, parts: Record<string, unknown>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(parts[name])))
}

function asked(query: Record<string, unknown>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  return pairs.length ? `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}` : ''
}
