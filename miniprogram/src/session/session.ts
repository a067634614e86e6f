/**
 * Who is signed in. A session is a token and a secret of this phone's own; the server knows the secret's hash alone, so
 * a token that is read somewhere opens nothing.
 */
import type { Credentials } from '@/api/request'
import { sha256 } from 'js-sha256'
import { Failure } from '@/api/errors'
import { actAs, post, remove } from '@/api/request'
import { host } from '@/platform'

interface Kept {
  token: string
  secret: string
}

const NAME = 'session'
const LEFT = 'session:left' // signed out by hand: nobody is signed in again without a tap
const OF_A_PERSON = ['patient', 'draft:patient'] // what is kept on this phone of whoever was signed in
export const SIGNED_OUT = 'signed_out'

let underWay: Promise<void> | null = null

function kept(): Kept | undefined {
  return host.storage.get(NAME) as Kept | undefined
}

function headersOf(session: Kept | undefined): Record<string, string> {
  return session ? { Authorization: `Bearer ${session.token}`, 'X-Client-Secret': session.secret } : {}
}

async function signIn(): Promise<void> {
  host.storage.remove(NAME)
  const secret = await host.randomHex(32)
  let code: string
  try {
    code = await host.signInCode()
  }
  catch {
    throw new Failure('ended', { sentence: '暂时无法登录微信，请稍后重试。' })
  }
  const { token } = await post('/api/account/sessions', {
    body: { code, secret_hash: sha256(secret), device: host.device() }, asNobody: true,
  })
  host.storage.set(NAME, { token, secret })
}

/** Signs in once, however many ask at the same time. Raises `Failure`. */
function signInOnce(): Promise<void> {
  if (host.storage.get(LEFT))
    return Promise.reject(new Failure('ended', { code: SIGNED_OUT, sentence: '你已退出登录。' }))
  underWay ??= signIn().finally(() => underWay = null)
  return underWay
}

const credentials: Credentials = {
  headers: () => headersOf(kept()),
  ready: () => (underWay ?? Promise.resolve()).catch(() => undefined),
  renew: (refused) => {
    const now = headersOf(kept()).Authorization
    const isNewer = now !== undefined && now !== refused.Authorization
    return isNewer ? Promise.resolve() : signInOnce()
  },
}

/** Called once at the start: signs in silently when nobody is, so that the first page need not wait for a refusal. */
export async function begin(): Promise<void> {
  actAs(credentials)
  if (!kept())
    await signInOnce()
}

/** Ends this phone's session here and at the server; until `enter` nobody is signed in again. Raises `Failure`. */
export async function leave(): Promise<void> {
  await remove('/api/account/sessions/current')
  for (const name of [NAME, ...OF_A_PERSON])
    host.storage.remove(name)
  host.storage.set(LEFT, 'yes')
}

/** Signs in after `leave`, by a tap. Raises `Failure`. */
export async function enter(): Promise<void> {
  host.storage.remove(LEFT)
  await signInOnce()
}
