import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { useBill } from '../../src/bills/use-bill'
import { useBills } from '../../src/bills/use-bills'
import { useOrder } from '../../src/bills/use-order'
import { useRefund } from '../../src/bills/use-refund'
import { usePatients } from '../../src/session/patients'
import { phone } from './host'
import { no, ok, server } from './wire'

const PATIENTS = ok({ patients: [{ id: 'P', name: '**宁', is_default: true }, { id: 'Q', name: '**梓', is_default: false }] })
const SHEET = { timeStamp: '1', nonceStr: 'n', package: 'prepay_id=1', signType: 'RSA', paySign: 's' }
const bill = (bill_no: string, changes = {}) => ({ bill_no, version: 1, total_fen: 1000, order_id: null, being_paid: false, ...changes })
const bills = (live: boolean, ...some: ReturnType<typeof bill>[]) => ok({ bills: some, live, as_of: '2026-11-30T01:00:00Z', left_out: 0 })
const order = (state: string, changes = {}) => ok({ id: 'O', state, can_pay: false, total_fen: 1000, charges: [], ...changes })

beforeEach(() => {
  phone.clear()
  setActivePinia(createPinia())
})

describe('the bills of a patient', () => {
  it('are all chosen, and paid together as they were shown', async () => {
    const { asked } = server(PATIENTS, bills(true, bill('a'), bill('b', { total_fen: 250 })), ok({ id: 'O' }, 201))
    const page = useBills()
    await page.load()
    expect(page.total.value).toBe(1250)
    page.toggle('a')
    expect(await page.pay()).toBe('O')
    expect(asked[2]).toMatchObject({
      address: '/api/billing/orders', json: { patient_id: 'P', bills: [{ bill_no: 'b', version: 1, total_fen: 250 }] },
    })
    expect(asked[2]?.headers['Idempotency-Key']).toBeTruthy()
  })

  it('can all be left out and taken again with one tap', async () => {
    server(PATIENTS, bills(true, bill('a'), bill('b'), bill('c', { being_paid: true })))
    const page = useBills()
    await page.load()
    page.toggleAll()
    expect([page.toPay.value.length, page.isAll.value]).toEqual([0, false])
    expect(await page.pay()).toBeUndefined()
    page.toggle('a')
    page.toggleAll()
    expect([page.toPay.value.length, page.isAll.value]).toEqual([2, true])
  })

  it('that were changed meanwhile are fetched anew, and why is said', async () => {
    server(PATIENTS, bills(true, bill('a')), no(409, 'bill_changed', '费用已变更。'), bills(true, bill('a', { version: 2, total_fen: 700 })))
    const page = useBills()
    await page.load()
    expect(await page.pay()).toBeUndefined()
    expect(page.refused.value?.sentence).toBe('费用已变更。')
    expect(page.total.value).toBe(700)
  })

  it('are never another patient\'s than the one chosen', async () => {
    server(PATIENTS, bills(true, bill('a')), no(403, 'proof_required', '请先核验。'), bills(true, bill('q')))
    const page = useBills()
    await page.load()
    usePatients().choose('Q')
    expect([page.list.value, page.total.value]).toEqual([undefined, 0])
    await page.load()
    expect(page.way.value).toEqual({ text: '去核验身份', page: '/family/patient', values: { id: 'Q' } })
    await page.load()
    expect(page.list.value?.bills[0]?.bill_no).toBe('q')
  })

  it('are none, and nobody is asked, when there is no patient', async () => {
    const { asked } = server(ok({ patients: [] }))
    const page = useBills()
    await page.load()
    expect([page.list.value, page.isKnown.value, asked.length]).toEqual([undefined, true, 1])
  })

  it('are shown but not paid while the hospital is silent', async () => {
    server(PATIENTS, bills(false, bill('a')))
    const page = useBills()
    await page.load()
    expect([page.list.value?.bills.length, page.payable.value.length]).toEqual([1, 0])
  })
})

describe('a scanned prescription', () => {
  it('opens its bill, whosever of ours it is', async () => {
    phone.scans = ['RX.code']
    const { asked } = server(ok({ patient_id: 'Q', bill: bill('x') }))
    expect(await useBills().scanning.act()).toEqual({ patient: 'Q', bill: 'x' })
    expect(asked[0]?.json).toEqual({ code: 'RX.code' })
  })

  it('is refused in the hospital\'s words', async () => {
    phone.scans = ['https://u.example/x']
    server(no(422, 'code_invalid', '该二维码不是本院处方码。'))
    const { scanning } = useBills()
    expect(await scanning.act()).toBeUndefined()
    expect(scanning.failed.value?.sentence).toBe('该二维码不是本院处方码。')
  })

  it('given up asks nobody', async () => {
    const { asked } = server()
    const { scanning } = useBills()
    expect([await scanning.act(), scanning.failed.value, asked.length]).toEqual([undefined, undefined, 0])
  })
})

describe('one bill', () => {
  const one = (changes = {}, live = true) => ok({ bill: { ...bill('a'), state: 'UNPAID', items: [], ...changes }, live, as_of: '' })

  it.each([
    ['can be paid', {}, true, true], ['is paid', { state: 'PAID' }, true, false], ['is being paid', { being_paid: true }, true, false],
    ['is an old story', {}, false, false],
  ])('that %s', async (_, changes, live, expected) => {
    const answer = ({ address }: { address: string }) => address.includes('/patients') ? PATIENTS : one(changes, live)
    server(answer, answer)
    const page = useBill(() => 'P', () => 'a')
    await page.load()
    expect(page.isPayable.value).toBe(expected)
  })
})

describe('an order', () => {
  const at = () => useOrder(() => 'O', async () => undefined)

  it('is paid when the server says so', async () => {
    const settled = order('DONE', { charges: [{ state: 'SETTLED', pharmacy_window: '' }] })
    server(ok({ order: {}, payment: SHEET }), order('AWAITING_PAYMENT', { can_pay: true }), order('SETTLING'), settled)
    const page = at()
    await page.paying.pay()
    expect([page.paying.step.value, page.face.value?.name, phone.sheets.length]).toEqual(['settled', 'settled', 1])
  })

  it('whose sheet was closed is unpaid, and can be paid still', async () => {
    phone.closes = ['cancelled']
    server(ok({ order: {}, payment: SHEET }), order('AWAITING_PAYMENT', { can_pay: true }))
    const page = at()
    await page.paying.pay()
    expect([page.paying.step.value, page.face.value?.name]).toEqual(['unpaid', 'pay'])
  })

  it('that can\'t be paid any more says what became of it', async () => {
    server(no(409, 'bill_paid', '所选费用已缴清。'), order('RELEASED', { charges: [{ state: 'RELEASED', reason: 'BILL_PAID' }] }))
    const page = at()
    await page.paying.pay()
    expect([page.paying.failed.value?.sentence, page.face.value?.name]).toEqual(['所选费用已缴清。', 'released'])
  })

  it('is given up, and shown as it is then: also when it was paid meanwhile', async () => {
    const { asked } = server(order('RELEASED'), order('RELEASED'), no(409, 'not_payable', '已支付。'), order('SETTLING'))
    const page = at()
    await page.givingUp.act()
    expect(asked[0]).toMatchObject({ method: 'POST', address: '/api/billing/orders/O/cancellation' })
    expect(page.face.value?.name).toBe('released')
    await page.givingUp.act()
    expect([page.givingUp.failed.value?.sentence, page.face.value?.name]).toEqual(['已支付。', 'confirming'])
  })
})

describe('giving a bill back', () => {
  const of = (state: string) => order('DONE', { charges: [{ id: 'C', state }] })
  const at = () => useRefund(() => 'O', () => 'C')

  it('is asked about before it is offered', async () => {
    server(of('SETTLED'), ok({ refundable: true, reasons: [] }), ok({ id: 'C', state: 'CANCELLING' }, 202), of('CANCELLING'))
    const page = at()
    await page.load()
    expect(page.told.value?.refundable).toBe(true)
    await page.refunding.act()
    expect([page.charge.value?.state, page.told.value]).toEqual(['CANCELLING', undefined])
  })

  it('that is refused after all says why, and what is so now', async () => {
    const reasons = [{ code: 'EXECUTED', text: '已执行。' }]
    server(no(409, 'not_refundable', '已执行。'), of('SETTLED'), ok({ refundable: false, reasons }))
    const page = at()
    await page.refunding.act()
    expect([page.refunding.failed.value?.sentence, page.told.value?.reasons]).toEqual(['已执行。', reasons])
  })

  it('is not offered of a bill that is not in the order', async () => {
    server(order('DONE'))
    const page = at()
    await page.load()
    expect([page.order.value?.id, page.charge.value, page.told.value]).toEqual(['O', undefined, undefined])
  })
})
