/** What can be paid together, how an order stands, and what giving a bill back means. */
import type { Seen } from '@/parts/use-paying'
import type { Mood } from '@/words/registration'
import { yuan } from '@/words/money'

// -- bills ------------------------------------------------------------------------------------------
interface Bill {
  bill_no: string
  version: number
  total_fen: number
  order_id: string | null
  being_paid: boolean
}

/** `choose`: may be paid now; `mine`: in an order of this account; `elsewhere`: somebody else is paying; `free`: costs nothing. */
export type Standing = 'choose' | 'mine' | 'elsewhere' | 'free'

export function standing(bill: Bill): Standing {
  if (bill.order_id !== null)
    return 'mine'
  if (bill.being_paid)
    return 'elsewhere'
  return bill.total_fen > 0 ? 'choose' : 'free'
}

/** All that can be paid, but for what was left out by hand. Nothing of an old list: only what the hospital says now is paid. */
export function chosen<B extends Bill>(bills: readonly B[], isLive: boolean, skipped: readonly string[]): B[] {
  return isLive ? bills.filter(one => standing(one) === 'choose' && !skipped.includes(one.bill_no)) : []
}

export function sum(bills: readonly { total_fen: number }[]): number {
  return bills.reduce((total, one) => total + one.total_fen, 0)
}

/** The name of this intention: another patient, bill, version or amount is another one. */
export function intention(patientId: string, bills: readonly Bill[]): string {
  return ['order', patientId, ...bills.map(one => `${one.bill_no}.${one.version}.${one.total_fen}`).sort()].join(':')
}

/** As much of a scanned text as the server takes: a code of the hospital's is shorter, and it says so of the others. */
export function asCode(text: string): string {
  return text.trim().slice(0, 512)
}

// -- orders -----------------------------------------------------------------------------------------
interface Charge {
  state: string
  reason: string
  amount_fen: number
  pharmacy_window: string
}

interface Order {
  state: string
  can_pay: boolean
  total_fen: number
  charges: readonly Charge[]
}

export interface Face {
  name: 'pay' | 'confirming' | 'ending' | 'released' | 'settled' | 'partly' | 'back' | 'refunding' | 'refunded'
  mood: Mood
  title: string
  sentence: string
}

const TAKEN = ['SETTLED', 'CANCELLING', 'CANCELLED']

const WHY: Record<string, string> = {
  BILL_PAID: '这笔费用已在别处缴清。',
  BILL_CANCELLED: '这笔费用已被医生撤销。',
  BILL_UNKNOWN: '这笔费用已不存在。',
  BILL_CHANGED: '医生改动了这笔费用，金额已变。',
  BILL_LOCKED: '这笔费用正在其他手机或窗口支付。',
  PAID_TOO_LATE: '付款到达时，支付时间已过。',
  AMOUNT_DIFFERS: '实际付款与应缴金额不同。',
}

/** Why a bill was not paid, or not given back; empty when it was the person's own wish. */
export function why(charge: { state: string, reason: string }): string {
  if (charge.reason === 'GIVEN_UP' || charge.reason === 'EXPIRED')
    return ''
  if (charge.state === 'REJECTED')
    return WHY[charge.reason] ?? '医院系统没有收下这笔费用。'
  if (charge.state === 'RELEASED')
    return WHY[charge.reason] ?? ''
  return charge.state === 'SETTLED' && charge.reason ? '没有退成，请到收费窗口办理退费。' : ''
}

/** A charge's state; of money that goes back it is not said that it is there already. */
export function stateText(charge: { state: string, state_text: string }): string {
  return charge.state === 'REJECTED' ? '没有缴成，原路退回' : charge.state_text
}

/** What the server's word on an order means for its payment. */
export function seen(order: { state: string, can_pay: boolean }): Seen {
  if (order.can_pay)
    return 'open'
  return order.state === 'RELEASED' || order.state === 'DONE' ? 'settled' : 'pending'
}

/** Something goes on by itself: it is worth asking again. */
export function isUnderWay(order: Order): boolean {
  return seen(order) === 'pending' || order.charges.some(one => one.state === 'CANCELLING')
}

/** How an order stands, in a title and a sentence that says what is safe and what comes next. */
export function face(order: Order): Face {
  if (order.can_pay)
    return { name: 'pay', mood: 'wait', title: '待支付', sentence: '费用已为你留住，请在时间到之前支付。' }
  switch (order.state) {
    case 'SETTLING':
      return { name: 'confirming', mood: 'wait', title: '已付款，正在确认', sentence: '医院正在入账，请不要再付一次。确认后会通知你；医院没有收下的，会自动退回。' }
    case 'RELEASED':
      return released(order)
    case 'DONE':
      return done(order)
    default:
      return { name: 'ending', mood: 'wait', title: '支付已结束', sentence: '正在和微信核对。没有付款的，费用会重新变为待缴；已经付款的，会自动退回。' }
  }
}

function released(order: Order): Face {
  const told = order.charges.map(why).find(Boolean) ?? '这次支付已结束。'
  return { name: 'released', mood: 'quiet', title: '没有付款', sentence: `${told}费用未扣除，需要时可以在待缴费用里重新支付。` }
}

function done(order: Order): Face {
  const taken = order.charges.filter(one => TAKEN.includes(one.state))
  const back = order.charges.filter(one => one.state === 'REJECTED')
  const backFen = back.reduce((total, one) => total + one.amount_fen, 0)
  if (taken.length === 0) {
    return {
      name: 'back', mood: 'bad', title: '没有缴成，钱会退回',
      sentence: `付出的钱正在原路退回你付款的微信，到账后会通知你。${back.map(why).find(Boolean) ?? ''}`,
    }
  }
  if (back.length) {
    return {
      name: 'partly', mood: 'bad', title: '有费用没有缴成',
      sentence: `${yuan(order.total_fen - backFen)} 已缴费，另外 ${yuan(backFen)} 正在原路退回，到账后会通知你。`,
    }
  }
  if (taken.every(one => one.state !== 'SETTLED') && taken.some(one => one.state === 'CANCELLING'))
    return { name: 'refunding', mood: 'wait', title: '正在退费', sentence: '已经交给医院办理。办好后，钱原路退回付款的微信，到账后会通知你。' }
  if (taken.every(one => one.state === 'CANCELLED'))
    return { name: 'refunded', mood: 'quiet', title: '已退费', sentence: '钱原路退回你付款的微信，到账情况可以在缴费记录里查看。' }
  return { name: 'settled', mood: 'good', title: '缴费成功', sentence: whereTo(taken.filter(one => one.state === 'SETTLED')) }
}

function whereTo(charges: readonly Charge[]): string {
  const windows = [...new Set(charges.map(one => one.pharmacy_window).filter(Boolean))]
  const others = charges.some(one => !one.pharmacy_window)
  if (windows.length === 0)
    return others ? '请按下面每项写明的地点去做。' : ''
  return `请到 ${windows.join('、')} 取药。${others ? '其他项目按下面写明的地点去做。' : ''}`
}

// -- giving a paid bill back ------------------------------------------------------------------------
/** What giving it back leads to, said before it is done. */
export function consequence(charge: { amount_fen: number, kind_text: string }): string[] {
  return [
    `整张${charge.kind_text}单一起退，${yuan(charge.amount_fen)} 原路退回付款的微信，到账后会通知你。`,
    charge.kind_text === '处方' ? '退费后不能再凭这张单取药。需要时，请医生重新开单。' : '退费后不能再做单上的项目。需要时，请医生重新开单。',
    '这笔费用的电子票据会作废。',
  ]
}

const PAPER = { held: '，和纸质发票', none: '', perhaps: '，换过纸质发票的一起带上' }

/** What the desk does, for those whose bill can't be given back on line. `codes`: why it can't. */
export function atTheDesk(codes: readonly string[]): string[] {
  if (codes.includes('ALREADY_REFUNDED') || codes.includes('NOT_SETTLED'))
    return []
  return [
    `带上就诊人的身份证或就诊卡${PAPER[codes.includes('INVOICE_ON_PAPER') ? 'held' : codes.length ? 'none' : 'perhaps']}，到收费窗口。`,
    codes.includes('EXECUTED') ? '已经发的药、已经做的项目能不能退，由窗口和科室核对。' : '可以只退单上的一部分项目。',
    '窗口办好后，钱原路退回付款的微信，不用在手机上再申请，到账后会通知你。',
  ]
}
