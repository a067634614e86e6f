/** What the account's pages show. */
import type { components } from '@/api/schema'
import { moment } from '@/words/time'

export type Session = components['schemas']['hospital__patients__api__SessionView']
export type Copy = components['schemas']['ConsentCopy']

/** `本机 · 正在使用`, `今天 14:30 用过`. `now` in ms. */
export function lastUsed(one: Pick<Session, 'is_current' | 'last_used_at'>, now: number): string {
  return one.is_current ? '本机，正在使用' : `最近使用 ${moment(one.last_used_at, now)}`
}

/** What a phone is called; many give no name. */
export function deviceName(one: Pick<Session, 'device' | 'is_current'>): string {
  return one.device || (one.is_current ? '这台手机' : '未知设备')
}

/** `11月23日 08:00 同意；今天 09:30 撤回`. */
export function history(one: Pick<Copy, 'granted_at' | 'withdrawn_at'>, now: number): string {
  return `${moment(one.granted_at, now)} 同意${one.withdrawn_at ? `；${moment(one.withdrawn_at, now)} 撤回` : ''}`
}
