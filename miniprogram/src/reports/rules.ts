/** What a report's state and values mean on the page: moods, order, where a mark stands on its bar, a line over time. */
import type { Plotted } from '@/look/chart'
import type { Mood } from '@/words/registration'

const MOODS: Record<string, Mood> = { PENDING: 'wait', READY: 'good', CORRECTED: 'wait', WITHDRAWN: 'bad' }

export function reportMood(state: string): Mood {
  return MOODS[state] ?? 'wait'
}

interface Item {
  sequence: number
  level: number
  name: string
  panel: string
  value: string
  unit: string
  reference: string
  number: string | null
  low: string | null
  high: string | null
  flag: string
  flag_text: string
  is_abnormal: boolean
}

/** What is to be looked at first, above the others; what stands below another stays below it. */
export function abnormalFirst<T extends Item>(items: readonly T[]): T[] {
  const groups: T[][] = []
  for (const one of items) {
    const last = groups[groups.length - 1]
    if (one.level > 0 && last)
      last.push(one)
    else
      groups.push([one])
  }
  const wrong = groups.filter(group => group.some(one => one.is_abnormal))
  return [...wrong, ...groups.filter(group => !wrong.includes(group))].reduce<T[]>((all, group) => all.concat(group), [])
}

/** Where a value stands on its bar, in percent; the middle third is what is usual. Undefined: there is no bar to draw. */
export function mark(one: Pick<Item, 'number' | 'low' | 'high'>): number | undefined {
  if (one.number === null || one.low === null || one.high === null)
    return undefined
  const [value, low, high] = [Number(one.number), Number(one.low), Number(one.high)]
  if (!(high > low) || !Number.isFinite(value))
    return undefined
  const place = 100 / 3 + (value - low) / (high - low) * (100 / 3)
  return Math.min(98, Math.max(2, Math.round(place)))
}

/** The state of a value in one word, which stands beside its colour and shape. */
export function word(one: Pick<Item, 'flag_text' | 'value' | 'low' | 'high'>): string {
  return one.flag_text || (one.value && (one.low !== null || one.high !== null) ? '在参考范围内' : '')
}

/** A result as a screen reader says it. */
export function spoken(one: Item): string {
  return [one.name, `${one.value}${one.unit ? ` ${one.unit}` : ''}`, word(one), one.reference ? `参考范围 ${one.reference}` : '']
    .filter(Boolean).join('，')
}

interface Line {
  visit_number: string
  at: string
}

/** Reports of one visit together, in the order in which they are listed. */
export function byVisit<T extends Line>(reports: readonly T[]): { visit: string, reports: T[] }[] {
  const groups: { visit: string, reports: T[] }[] = []
  for (const one of reports) {
    const last = groups[groups.length - 1]
    if (last && last.visit === one.visit_number)
      last.reports.push(one)
    else
      groups.push({ visit: one.visit_number, reports: [one] })
  }
  return groups
}

interface Trend {
  low: string | null
  high: string | null
  points: readonly { at: string, number: string }[]
}

/** Where each value lies in the drawing, and the band of what is usual. */
export function plotted(trend: Trend): { points: Plotted[], band: { from: number, to: number } | undefined } {
  const values = trend.points.map(one => Number(one.number))
  const times = trend.points.map(one => Date.parse(one.at))
  const [low, high] = [trend.low, trend.high].map(one => one === null ? undefined : Number(one))
  const all = [...values, ...[low, high].filter((one): one is number => one !== undefined)]
  const [least, most] = [Math.min(...all), Math.max(...all)]
  const [first, last] = [Math.min(...times), Math.max(...times)]
  const height = (value: number) => most > least ? (value - least) / (most - least) : 0.5
  const points = trend.points.map(one => [Date.parse(one.at), Number(one.number)] as const).map(([time, value]) => ({
    x: last > first ? (time - first) / (last - first) : 0.5,
    y: height(value),
    isOutside: (low !== undefined && value < low) || (high !== undefined && value > high),
  }))
  const band = low === undefined && high === undefined
    ? undefined
    : { from: low === undefined ? 0 : height(low), to: high === undefined ? 1 : height(high) }
  return { points, band }
}

/** A line over time in a sentence, for who does not see the drawing. */
export function drawnAloud(name: string, values: readonly string[]): string {
  return `${name} 的变化：${values.join('，')}`
}
