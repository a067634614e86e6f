/** What may be done with a registration, and what it would mean. */
import type { Seen } from '@/parts/use-paying'
import type { Mood } from '@/words/registration'
import { yuan } from '@/words/money'
import { dayInWords, period, weekday } from '@/words/time'

interface Registration {
  state: string
  can_cancel: boolean
  fee_fen: number
  needs_payment: boolean
  stopped?: unknown
}

/** What the server's word on a registration means for its payment. */
export function seen(one: { state: string, can_pay: boolean }): Seen {
  if (one.can_pay)
    return 'open'
  return one.state === 'CONFIRMING' ? 'pending' : 'settled'
}

/** Something goes on by itself: it is worth asking again. */
export function isUnderWay(one: { state: string, moving?: { can_pay: boolean } | null }): boolean {
  return one.state === 'CONFIRMING' || one.state === 'CANCELLING' || one.moving?.can_pay === false
}

/** What the server's word on a registration means for its moving to another place. */
export function seenMoving(one: { moving: { can_pay: boolean } | null }): Seen {
  if (!one.moving)
    return 'settled'
  return one.moving.can_pay ? 'open' : 'pending'
}

/** What another place costs besides what was paid, in words. */
export function differenceInWords(fen: number): string {
  if (fen === 0)
    return '不用再付钱'
  return fen > 0 ? `补差价 ${yuan(fen)}` : `退差价 ${yuan(-fen)}`
}

/** The same before it is done, as a sentence. */
export function beforeMoving(fen: number): string {
  if (fen === 0)
    return '已付的挂号费直接用于新的号，不用再付钱。'
  return fen > 0
    ? `新的号贵 ${yuan(fen)}，需先支付这部分；没有付成，原来的号不变。`
    : `新的号便宜 ${yuan(-fen)}，改约成功后这部分原路退回。`
}

/** What is being done about a move, or to be done. */
export function movingInWords(one: { difference_fen: number, can_pay: boolean }): string {
  return one.can_pay
    ? `号源已为你保留，支付差价 ${yuan(one.difference_fen)} 后改约。`
    : '正在为你改约，成功后会通知你；不成功，原来的号不变，差价会自动退回。'
}

/** What cancelling leads to, said before it is done. */
export function consequence(one: Registration): string {
  if (one.stopped)
    return one.fee_fen > 0 && one.needs_payment ? `已付的挂号费 ${yuan(one.fee_fen)} 将全额原路退回。` : '本次无需退费。'
  if (!['CONFIRMED', 'CONFIRMING'].includes(one.state))
    return '号源会立即释放给其他患者。'
  return one.fee_fen > 0 && one.needs_payment
    ? `号源会释放，挂号费 ${yuan(one.fee_fen)} 将原路退回你的微信支付账户。`
    : '号源会释放给其他患者，本次无需退费。'
}

/** What the server's word on an arrival means: in the queue, still to be paid, or on its way. */
export function arrived(one: { state: string, can_check_in: boolean }): Seen {
  if (one.state === 'CHECKED_IN')
    return 'settled'
  return one.can_check_in ? 'open' : 'pending'
}

interface Waiting {
  state: string
  reason_text: string
  visit_date: string
  period: string | null
  ahead: number | null
}

/** What somebody waits for: `周三 上午`, or `周三 任一时段`. */
export function waitingFor(one: Waiting, now: number): string {
  const day = dayInWords(one.visit_date, now)
  return `${day}${/[今明后昨]/.test(day) ? '' : ` ${weekday(one.visit_date)}`} ${one.period ? period(one.period) : '任一时段'}`
}

export function waitingMood(state: string): Mood {
  return state === 'WAITING' ? 'wait' : state === 'OFFERED' ? 'good' : 'quiet'
}

/** How long it may take, or what has become of it. */
export function waitingNext(one: Waiting): string {
  if (one.state === 'OFFERED')
    return '空出的号已留给你，请查看并在保留时间内支付。'
  if (one.state !== 'WAITING')
    return one.reason_text
  return one.ahead ? `前面还有 ${one.ahead} 人，有号会通知你。` : '你排在第一位，有人退号就留给你。'
}
