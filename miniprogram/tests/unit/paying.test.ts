import { beforeEach, expect, it } from 'vitest'
import { Failure } from '../../src/api/errors'
import type { Seen } from '../../src/parts/use-paying'
import { usePaying } from '../../src/parts/use-paying'
import { phone } from './host'

const SHEET = { timeStamp: '1', nonceStr: 'n', package: 'prepay_id=1', signType: 'RSA', paySign: 's' }

function paying(...sees: (Seen | Failure)[]) {
  const waits: number[] = []
  const made = usePaying({
    open: async () => SHEET,
    look: async () => {
      const next = sees.shift() ?? 'pending'
      if (next instanceof Failure)
        throw next
      return next
    },
    wait: async (ms) => {
      waits.push(ms)
    },
  })
  return { ...made, waits }
}

beforeEach(() => phone.clear())

it('is paid when the server says so, however long it takes', async () => {
  const { pay, step, waits } = paying('open', 'pending', 'settled')
  await pay()
  expect(step.value).toBe('settled')
  expect(waits).toEqual([0, 1000, 2000])
})

it('is never called paid on the sheet\'s word alone', async () => {
  const { pay, step } = paying('open', 'open', 'open', 'open', 'open')
  await pay()
  expect(step.value).toBe('unknown')
})

it('is unpaid after the sheet was closed, once the server says so too', async () => {
  phone.closes = ['cancelled']
  const { pay, step, waits } = paying('open')
  await pay()
  expect(step.value).toBe('unpaid')
  expect(waits).toEqual([0])
})

it('is paid though the sheet said that it failed', async () => {
  phone.closes = ['failed']
  const { pay, step } = paying('settled')
  await pay()
  expect(step.value).toBe('settled')
})

it('is not known when the server can\'t be asked, and can be asked again', async () => {
  const { pay, ask, step, failed } = paying(new Failure('offline'), 'settled')
  await pay()
  expect(step.value).toBe('unknown')
  expect(failed.value?.trouble).toBe('offline')
  await ask()
  expect(step.value).toBe('settled')
})

it('opens one sheet for two taps', async () => {
  const { pay } = paying('settled')
  await Promise.all([pay(), pay()])
  expect(phone.sheets).toHaveLength(1)
})

it('is looked at anew when it can\'t be opened any more', async () => {
  let looks = 0
  const { pay, step, failed } = usePaying({
    open: () => Promise.reject(new Failure('refused', { code: 'order_paid' })),
    look: async () => {
      looks++
      return 'settled'
    },
  })
  await pay()
  expect([looks, step.value, failed.value?.code]).toEqual([1, 'idle', 'order_paid'])
})
