/** What a queue, a way and a visit's timeline say, in words. */
import { clock } from '@/words/time'

export interface Turn {
  standing: string | null
  ahead: number | null
  low: number | null
  high: number | null
  as_of: string | null
  stale: boolean
}

/** The one fact of a queue. */
export function fact(turn: Turn): string {
  switch (turn.standing) {
    case 'CALLED': return '正在叫您的号'
    case 'NEXT': return '下一个就是您'
    case 'WAITING': return `前面还有 ${turn.ahead ?? 0} 人`
    case 'PASSED': return '过号了'
    case 'SEEN': return '已叫过您的号'
    case 'NOT_THERE': return '队列里没有您的号'
    default: return '暂时看不到叫号'
  }
}

/** About how long it takes; empty when nobody could say so honestly. */
export function estimate(turn: Turn): string {
  if (turn.low === null || turn.high === null)
    return ''
  return turn.low === 0 ? `预计 ${turn.high} 分钟以内` : `预计还要 ${turn.low}～${turn.high} 分钟`
}

/** Why no time is told, while somebody waits. */
export function noEstimate(turn: Turn): string {
  return turn.standing === 'WAITING' && turn.low === null ? '今天叫号还不多，暂时估不准时间。' : ''
}

/** `10:32 更新`; of old numbers, that they are old. */
export function freshness(turn: Turn): string {
  if (turn.as_of === null)
    return ''
  return turn.stale ? `这是 ${clock(turn.as_of)} 的情况，医院系统暂时没有回应` : `${clock(turn.as_of)} 更新，每隔几秒自动刷新`
}

/** How the queue at a stop is; empty when the hospital does not say. */
export function waitingText(one: { waiting: number | null, wait_minutes?: number | null }): string {
  if (one.waiting === null)
    return ''
  if (one.waiting === 0)
    return '现在没有人排队'
  return `现在 ${one.waiting} 人在等${one.wait_minutes ? `，约 ${one.wait_minutes} 分钟` : ''}`
}

/** A list of things as a sentence has it. */
export function listed(things: readonly string[]): string {
  return things.join('、')
}
