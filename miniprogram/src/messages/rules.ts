/** What a message says aloud, and where a kind of message stands between the hospital's books and this phone. */
import type { MessageSettings } from '@/platform'

interface Message {
  title: string
  lines: readonly { label: string, text: string }[]
  is_read: boolean
  withheld: boolean
}

export const WITHHELD = '就诊人已解除绑定，或授权已撤回，内容不再显示。'

/** A message as a screen reader says it, its state first. `when`: in words. */
export function spoken(one: Message, when: string): string {
  const lines = one.withheld ? [WITHHELD] : one.lines.map(({ label, text }) => `${label} ${text}`)
  return [one.is_read ? '已读' : '未读', one.title, when, ...lines].join('，')
}

interface Kind {
  title: string
  template_id: string
  standing: string
  allowed: number | null
}

export interface Choice {
  /** How it stands. */
  word: string
  mood: 'good' | 'wait' | 'bad' | 'quiet'
  /** What a tap does: WeChat's question, or WeChat's settings where it no longer asks. */
  does?: 'ask' | 'settings'
  /** What that is called. */
  action?: string
}

/** `phone`: what the host keeps; null: it does not tell. What it answers by itself goes before what was answered once. */
export function choiceOf(one: Kind, phone: MessageSettings | null): Choice {
  const kept = phone?.kept[one.template_id]
  if (one.standing === 'BANNED' || kept === 'ban')
    return { word: '暂不能用', mood: 'quiet' }
  if (phone?.isOn === false || kept === 'reject')
    return { word: '微信里已关闭', mood: 'bad', does: 'settings', action: '去打开' }
  if (one.standing === 'ON') {
    return one.allowed === null
      ? { word: '微信会提醒', mood: 'good' }
      : { word: `微信还会提醒 ${one.allowed} 次`, mood: 'good', does: 'ask', action: '加一次' }
  }
  return one.standing === 'REJECTED'
    ? { word: '已拒绝', mood: 'bad', does: 'ask', action: '开启' }
    : { word: '未开启', mood: 'quiet', does: 'ask', action: '开启' }
}
