/** What may be done with a registration, and what it would mean. */
import type { Seen } from '@/parts/use-paying'
import { yuan } from '@/words/money'

interface Registration {
  state: string
  can_cancel: boolean
  fee_fen: number
  needs_payment: boolean
}

/** What the server's word on a registration means for its payment. */
export function seen(one: { state: string, can_pay: boolean }): Seen {
  if (one.can_pay)
    return 'open'
  return one.state === 'CONFIRMING' ? 'pending' : 'settled'
}

/** Something goes on by itself: it is worth asking again. */
export function isUnderWay(one: { state: string }): boolean {
  return one.state === 'CONFIRMING' || one.state === 'CANCELLING'
}

/** What cancelling leads to, said before it is done. */
export function consequence(one: Registration): string {
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
