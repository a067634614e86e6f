/** What may be written, rated and sent, decided before it is. */
import type { Kind } from '@/words/feedback'
import { KINDS } from '@/words/feedback'

export const LEAST = 5 // characters of a complaint
export const MOST = 2000
export const MOST_WORDS = 500 // of a survey's free answer
export const MOST_PICTURES = 9
const MOST_BYTES = 10 * 1024 * 1024
const TYPES = ['image/jpeg', 'image/png', 'image/webp']

export interface Question {
  id: string
  kind: 'STARS' | 'CHOICE' | 'TEXT'
  title: string
  required: boolean
}

export type Answers = Record<string, number | string>

/** What keeps the answers from being sent, in a sentence; empty when nothing does. */
export function missing(questions: readonly Question[], answers: Answers): string {
  const open = questions.filter(one => one.required && !answers[one.id])
  return open.length ? `还有 ${open.length} 道必答题没有作答：${open.map(one => one.title).join('、')}` : ''
}

/** Only what was answered. */
export function given(answers: Answers): Answers {
  return Object.fromEntries(Object.entries(answers).filter(([, value]) => value !== '' && value !== 0))
}

/** Why a survey can't be answered now. */
export function notNow(state: string): string {
  switch (state) {
    case 'TOO_EARLY':
      return '本次就诊还没有结束。看完医生、当天门诊结束后，就可以来评价。'
    case 'OVER':
      return '本次就诊的评价时间已过，感谢您的关注。'
    default:
      return ''
  }
}

/** How a picture of a draft stands. `share`: how much of it is uploaded. */
export interface Picture {
  key: number
  /** What the phone shows: the chosen file, or our own copy. */
  src: string
  /** Empty until there is a place for it. */
  id: string
  state: 'uploading' | 'checking' | 'ready' | 'refused' | 'failed'
  share: number
  reason: string
}

/** Why a chosen file is not even uploaded; empty: it may be. */
export function noPicture(file: { type: string, bytes: number }): string {
  if (!TYPES.includes(file.type))
    return '文件不是可识别的图片（支持 JPG、PNG、WebP），请换一张。'
  return file.bytes > MOST_BYTES ? '图片超过 10MB，请压缩后重试。' : ''
}

/** A picture's state in a word, with its shape. */
export function pictureWord(one: Picture): string {
  switch (one.state) {
    case 'uploading':
      return `上传中 ${Math.round(one.share * 100)}%`
    case 'checking':
      return '检查中…'
    case 'ready':
      return '✓ 已添加'
    case 'refused':
      return '! 未能使用'
    default:
      return '! 没有传完'
  }
}

/** What keeps a word to the hospital from being sent; empty when nothing does. */
export function unfit(text: string, pictures: readonly Picture[]): string {
  if (text.trim().length < LEAST)
    return `请把事情写清楚，至少 ${LEAST} 个字。`
  if (pictures.some(one => one.state === 'uploading'))
    return '图片还在上传，请稍候。'
  return pictures.some(one => one.state === 'refused' || one.state === 'failed') ? '有图片没有添加成功，请重试或移除后再提交。' : ''
}

export interface Visit {
  visit_date: string
  department_name: string
  doctor_name: string
}

/** `11月23日 心内科 王医生`: a visit to choose from. */
export function visitWords(one: Visit): string {
  const [, month, day] = one.visit_date.split('-').map(Number)
  return `${month}月${day}日 ${one.department_name} ${one.doctor_name}`
}

/** A kind as it came from a page's address or an old draft. */
export function kindOf(value: unknown): Kind {
  return typeof value === 'string' && value in KINDS ? value as Kind : 'COMPLAINT'
}
