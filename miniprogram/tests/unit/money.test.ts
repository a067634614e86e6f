import { describe, expect, it } from 'vitest'
import { useEbill } from '../../src/ebills/use-ebill'
import { isUnderWay, meaning } from '../../src/ebills/rules'
import { pageOf, subjectPage, summary } from '../../src/money/rules'
import { useReceipt } from '../../src/money/use-receipt'
import { phone } from './host'
import { no, ok, server } from './wire'

const payment = (kind: string, state: string) => ({ id: 'Y', kind, subject_id: 'S', state, items: [] })
const receipt = (changes = {}) => ok({ id: 'Y', refunds: [], invoices: [], ...changes })

describe('my payments', () => {
  it('say in short what for', () => {
    expect(summary([])).toBe('')
    expect(summary([{ name: '挂号费' }])).toBe('挂号费')
    expect(summary([{ name: '阿莫西林胶囊' }, { name: '布洛芬' }])).toBe('阿莫西林胶囊 等 2 项')
  })

  it('lead to where they are paid while they are not, then to their receipt', () => {
    expect(pageOf(payment('outpatient', 'OPEN'))).toEqual({ page: '/bills/order', id: 'S' })
    expect(pageOf(payment('registration', 'OPEN'))).toEqual({ page: '/visit/registration', id: 'S' })
    expect(pageOf(payment('checkin', 'OPEN'))).toEqual({ page: '/money/receipt', id: 'Y' })
    expect(pageOf(payment('outpatient', 'PAID'))).toEqual({ page: '/money/receipt', id: 'Y' })
    expect(subjectPage(payment('checkin', 'PAID'))).toBeUndefined()
  })
})

describe('a receipt', () => {
  it('is found by its own number, or by what was paid', async () => {
    const payments = [{ id: 'X', subject_id: 'other' }, { id: 'Y', subject_id: 'S' }]
    const { asked } = server(receipt(), ok({ payments, next: null }), receipt())
    await useReceipt(() => 'Y', () => '').load()
    await useReceipt(() => '', () => 'S').load()
    expect([asked[0]?.address, asked[2]?.address]).toEqual(['/api/billing/payments/Y', '/api/billing/payments/Y'])
  })

  it('of long ago says where to look', async () => {
    server(ok({ payments: [], next: null }))
    const page = useReceipt(() => '', () => 'S')
    await page.load()
    expect(page.failed.value?.sentence).toContain('我的缴费')
  })

  it('of somebody not proven leads to the proof', async () => {
    server(no(403, 'proof_required'))
    const page = useReceipt(() => 'Y', () => '')
    await page.load()
    expect(page.way.value?.page).toBe('/family/patients')
  })
})

describe('an e-bill', () => {
  const one = (changes = {}) => ok({ id: 'E', state: 'ISSUED', has_file: true, jump: { app_id: 'wx1', path: 'a?b=1' }, ...changes })
  const at = () => useEbill(() => 'E')

  it.each(['ORDERED', 'ISSUED', 'WRITING_OFF', 'WRITTEN_OFF', 'ON_PAPER'])('%s has a meaning', (state) => {
    expect(meaning({ state, has_file: true })).not.toBe('')
  })

  it('that is void is not to be claimed with', () => expect(meaning({ state: 'WRITTEN_OFF', has_file: true })).toContain('不能用于报销'))

  it('is asked about until it is there with its file', () => {
    expect(isUnderWay({ state: 'ORDERED', has_file: false })).toBe(true)
    expect(isUnderWay({ state: 'ISSUED', has_file: false })).toBe(true)
    expect(isUnderWay({ state: 'ISSUED', has_file: true })).toBe(false)
    expect(isUnderWay({ state: 'ON_PAPER', has_file: true })).toBe(false)
  })

  it('is opened by a link of its own', async () => {
    phone.clear()
    const { asked } = server(ok({ url: 'https://cos/e.pdf', expires_at: '' }))
    await at().opening.act()
    expect([asked[0]?.method, asked[0]?.address, phone.opened]).toEqual(['POST', '/api/invoice/invoices/E/link', ['https://cos/e.pdf']])
  })

  it('whose file does not open says what to do', async () => {
    phone.clear()
    phone.isAble = false
    server(ok({ url: 'https://cos/e.pdf', expires_at: '' }))
    const { opening } = at()
    await opening.act()
    expect(opening.failed.value?.sentence).toContain('再点一次')
  })

  it('leads to the province\'s mini-program, and says so where that is not possible', async () => {
    phone.clear()
    server(one())
    const page = at()
    await page.load()
    await page.jumping.act()
    expect([phone.opened, page.cannotJump.value]).toEqual([['wx1 a?b=1'], false])
    phone.isAble = false
    await page.jumping.act()
    expect(page.cannotJump.value).toBe(true)
  })
})
