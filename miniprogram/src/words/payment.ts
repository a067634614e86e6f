/** The moods of what costs money. The words themselves are the server's. */
import type { Mood } from './registration'

const CHARGES: Record<string, Mood> = { SETTLED: 'good', CANCELLED: 'quiet', RELEASED: 'quiet', REJECTED: 'bad' }
const REFUNDS: Record<string, Mood> = { SUCCEEDED: 'good', ELSEWHERE: 'good', GIVEN_UP: 'bad' }
const EBILLS: Record<string, Mood> = { ISSUED: 'good', WRITTEN_OFF: 'quiet', ON_PAPER: 'quiet' }

/** One bill's part of an order. */
export function chargeMood(state: string): Mood {
  return CHARGES[state] ?? 'wait'
}

/** Money on its way back. */
export function refundMood(state: string): Mood {
  return REFUNDS[state] ?? 'wait'
}

export function ebillMood(state: string): Mood {
  return EBILLS[state] ?? 'wait'
}

/** A payment: good while the money has arrived and none of it is on its way. */
export function paymentMood(one: { state: string, refunds: readonly { state: string }[] }): Mood {
  if (one.state === 'CLOSED')
    return 'quiet'
  if (one.state !== 'PAID')
    return 'wait'
  const moods = one.refunds.map(refund => refundMood(refund.state))
  return moods.find(mood => mood === 'bad') ?? moods.find(mood => mood === 'wait') ?? 'good'
}
