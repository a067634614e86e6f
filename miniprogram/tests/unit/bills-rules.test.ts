import { describe, expect, it } from 'vitest'
import {
  asCode, atTheDesk, chosen, consequence, face, intention, isUnderWay, seen, standing, stateText, sum, why,
} from '../../src/bills/rules'

const bill = (bill_no: string, changes = {}) => ({ bill_no, version: 1, total_fen: 1000, order_id: null, being_paid: false, ...changes })
const charge = (state: string, changes = {}) => ({ state, reason: '', amount_fen: 1000, pharmacy_window: '', ...changes })
const order = (state: string, ...charges: ReturnType<typeof charge>[]) =>
  ({ state, can_pay: false, total_fen: charges.reduce((total, one) => total + one.amount_fen, 0), charges })

describe('what may be chosen', () => {
  const mine = bill('mine', { order_id: 'O', being_paid: true })
  const elsewhere = bill('elsewhere', { being_paid: true })
  const free = bill('free', { total_fen: 0 })
  const [a, b] = [bill('a'), bill('b', { total_fen: 250 })]

  it('is what nobody is paying and costs something', () => {
    expect([mine, elsewhere, free, a].map(standing)).toEqual(['mine', 'elsewhere', 'free', 'choose'])
  })

  it('is all of it at first, without what was left out by hand', () => {
    expect(chosen([mine, a, elsewhere, b, free], true, [])).toEqual([a, b])
    expect(chosen([mine, a, b], true, ['a'])).toEqual([b])
    expect(sum(chosen([a, b], true, []))).toBe(1250)
  })

  it('is nothing while the hospital is silent', () => expect(chosen([a, b], false, [])).toEqual([]))

  it('is another intention with another patient, bill, version or amount, and the same in another order', () => {
    const others = [[a, b], [bill('a', { version: 2 })], [bill('a', { total_fen: 1 })]]
    expect(new Set([intention('Q', [a]), ...[[a], ...others].map(some => intention('P', some))]).size).toBe(5)
    expect(intention('P', [a, b])).toBe(intention('P', [b, a]))
  })

  it('a scanned text is shown to the server whole as far as it takes it', () => {
    expect(asCode(' RX1.abc ')).toBe('RX1.abc')
    expect(asCode('x'.repeat(900))).toHaveLength(512)
  })
})

describe('an order', () => {
  it.each([
    ['OPEN', true, 'open'], ['AWAITING_PAYMENT', true, 'open'], ['AWAITING_PAYMENT', false, 'pending'],
    ['SETTLING', false, 'pending'], ['RELEASED', false, 'settled'], ['DONE', false, 'settled'],
  ])('%s, can be paid: %s, is %s', (state, can_pay, expected) => expect(seen({ state, can_pay })).toBe(expected))

  it.each([
    ['confirming', order('SETTLING', charge('SETTLING'))],
    ['ending', order('AWAITING_PAYMENT', charge('OPEN'))],
    ['released', order('RELEASED', charge('RELEASED', { reason: 'EXPIRED' }))],
    ['settled', order('DONE', charge('SETTLED'), charge('CANCELLED'))],
    ['settled', order('DONE', charge('SETTLED'), charge('CANCELLING'))],
    ['refunding', order('DONE', charge('CANCELLED'), charge('CANCELLING'))],
    ['partly', order('DONE', charge('SETTLED'), charge('REJECTED'))],
    ['back', order('DONE', charge('REJECTED'))],
    ['refunded', order('DONE', charge('CANCELLED'), charge('CANCELLED'))],
  ])('has the face %s', (name, one) => expect(face(one).name).toBe(name))

  it('that can be paid is to be paid, whatever else', () => {
    expect(face({ ...order('OPEN', charge('OPEN')), can_pay: true })).toMatchObject({ name: 'pay', mood: 'wait' })
  })

  it('that is paid tells nobody to pay again', () => expect(face(order('SETTLING')).sentence).toContain('不要再付'))

  it('that was not paid says why, and that no money went', () => {
    const paidAtDesk = face(order('RELEASED', charge('RELEASED', { reason: 'BILL_PAID' })))
    expect(paidAtDesk.sentence).toMatch(/已在别处缴清.*费用未扣除/)
    expect(face(order('RELEASED', charge('RELEASED', { reason: 'GIVEN_UP' }))).sentence).toContain('费用未扣除')
  })

  it('of which a part was not taken says both sums', () => {
    const { sentence } = face(order('DONE', charge('SETTLED', { amount_fen: 500 }), charge('REJECTED', { amount_fen: 120 })))
    expect(sentence).toMatch(/¥5\.00 已缴费.*¥1\.20 正在原路退回/)
  })

  it('whose money goes back says why', () => {
    expect(face(order('DONE', charge('REJECTED', { reason: 'PAID_TOO_LATE' }))).sentence).toMatch(/原路退回.*支付时间已过/)
  })

  it('sends to the pharmacy\'s windows, each once, and to the other places', () => {
    const window = { pharmacy_window: '1号窗口' }
    expect(face(order('DONE', charge('SETTLED', window), charge('SETTLED', window))).sentence).toBe('请到 1号窗口 取药。')
    expect(face(order('DONE', charge('SETTLED', window), charge('SETTLED'))).sentence).toContain('其他项目')
    expect(face(order('DONE', charge('CANCELLED', window), charge('SETTLED'))).sentence).not.toContain('1号窗口')
  })

  it('is asked about while something goes on by itself', () => {
    expect(isUnderWay(order('SETTLING'))).toBe(true)
    expect(isUnderWay(order('DONE', charge('CANCELLING')))).toBe(true)
    expect(isUnderWay(order('DONE', charge('SETTLED')))).toBe(false)
    expect(isUnderWay({ ...order('OPEN'), can_pay: true })).toBe(false)
  })
})

describe('a bill of an order', () => {
  it('says why it was not paid, and nothing where the person wished it', () => {
    expect(why(charge('REJECTED', { reason: 'BILL_CANCELLED' }))).toContain('医生撤销')
    expect(why(charge('REJECTED', { reason: 'ODD' }))).toContain('没有收下')
    expect(why(charge('RELEASED', { reason: 'GIVEN_UP' }))).toBe('')
    expect(why(charge('RELEASED', { reason: 'ODD' }))).toBe('')
    expect(why(charge('SETTLED'))).toBe('')
    expect(why(charge('SETTLED', { reason: 'EXECUTED' }))).toContain('窗口')
  })

  it('whose money goes back is not called given back already', () => {
    expect(stateText({ state: 'REJECTED', state_text: '未缴费成功，已退回' })).not.toContain('已')
    expect(stateText({ state: 'SETTLED', state_text: '已缴费' })).toBe('已缴费')
  })
})

describe('giving a bill back', () => {
  it('says first what it leads to', () => {
    const told = consequence({ amount_fen: 131335, kind_text: '处方' }).join('')
    expect(told).toMatch(/¥1,313\.35 原路退回/)
    expect(told).toContain('取药')
    expect(told).toContain('电子票据会作废')
    expect(consequence({ amount_fen: 1, kind_text: '检查' }).join('')).toContain('不能再做')
  })

  it('at the desk: what to bring, what can be given back, and how the money comes', () => {
    expect(atTheDesk(['INVOICE_ON_PAPER'])[0]).toContain('和纸质发票')
    expect(atTheDesk([])[0]).toContain('换过纸质发票的一起带上')
    expect(atTheDesk(['PARTLY_REFUNDED'])[0]).not.toContain('纸质发票')
    expect(atTheDesk(['EXECUTED'])[1]).toContain('科室核对')
    expect(atTheDesk(['EXECUTED'])[2]).toContain('不用在手机上再申请')
    expect(atTheDesk(['ALREADY_REFUNDED'])).toEqual([])
  })
})
