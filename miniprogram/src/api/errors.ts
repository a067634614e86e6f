/** What can go wrong with a request, as the person in front of the screen sees it. */
export type Trouble
  = | 'offline' // never left the phone, or nothing came back
    | 'slow' // left the phone; whether it arrived is not known
    | 'busy' // refused for now: too many at once
    | 'refused' // the hospital says no, and why
    | 'ended' // signed out, and signing in again did not help
    | 'broken' // an answer that is none, or a fault of ours

const SENTENCES: Record<Exclude<Trouble, 'refused'>, string> = {
  offline: '网络未连接，请检查网络后重试。',
  slow: '网络较慢，还不知道结果，请重试查看。',
  busy: '当前操作人数较多，请稍后重试。',
  ended: '登录已失效，请重新打开小程序。',
  broken: '系统开小差了，请稍后重试。',
}

/** The one error of the whole client. `sentence` can be shown as it is. */
export class Failure extends Error {
  readonly trouble: Trouble
  /** The server's code, such as `slot_gone`; empty when no server spoke. */
  readonly code: string
  readonly sentence: string
  /** The fields that a 422 names. */
  readonly fields: readonly string[]
  /** Seconds to wait before another try; 0: none asked for. */
  readonly wait: number
  /** Finds the request in the hospital's logs. */
  readonly requestId: string

  constructor(trouble: Trouble, told: Partial<Pick<Failure, 'code' | 'sentence' | 'fields' | 'wait' | 'requestId'>> = {}) {
    const sentence = told.sentence || SENTENCES[trouble === 'refused' ? 'broken' : trouble]
    super(`${trouble} ${told.code ?? ''}`.trim())
    this.name = 'Failure'
    this.trouble = trouble
    this.code = told.code ?? ''
    this.sentence = sentence
    this.fields = told.fields ?? []
    this.wait = told.wait ?? 0
    this.requestId = told.requestId ?? ''
  }

  /** Whether the server has answered for good, so that the same request need not be sent again. */
  get isFinal(): boolean {
    return this.trouble === 'refused'
  }
}

/** Any thrown thing as a `Failure`: a fault of our own code is `broken`. */
export function failure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure('broken')
}
