/** What patients write and how they rate, in words. */
import type { Mood } from './registration'

export const KINDS = { COMPLAINT: '投诉', SUGGESTION: '建议', PRAISE: '表扬', QUESTION: '咨询' } as const
export type Kind = keyof typeof KINDS

export const STARS: Record<number, string> = { 1: '很不满意', 2: '不满意', 3: '一般', 4: '满意', 5: '很满意' }

const MOODS: Record<string, Mood> = {
  RECEIVED: 'wait',
  IN_HAND: 'wait',
  ANSWERED: 'good',
  REOPENED: 'wait',
  CLOSED: 'quiet',
  WITHDRAWN: 'quiet',
}

export function complaintMood(state: string): Mood {
  return MOODS[state] ?? 'wait'
}

/** `4 星，满意`. */
export function starsInWords(stars: number): string {
  return `${stars} 星，${STARS[stars] ?? ''}`
}
