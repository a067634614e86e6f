import { beforeEach, describe, expect, it } from 'vitest'
import { choiceOf, spoken, WITHHELD } from '../../src/messages/rules'
import { useInbox } from '../../src/messages/use-inbox'
import { useSettings } from '../../src/messages/use-settings'
import { askToSend, prepareToAsk, report } from '../../src/session/messages'
import { unreadText } from '../../src/words/messages'
import { phone } from './host'
import { no, ok, server } from './wire'

const kind = (standing: string, allowed: number | null = 0) => ({ title: '挂号成功', template_id: 'T', standing, allowed })
const letter = (id: string, isRead = false) => ({
  id, kind: 'refunded', title: '退费通知', lines: [], opens: '', at: '2026-11-23T00:00:00Z', is_read: isRead, withheld: false,
})
const inbox = (...messages: ReturnType<typeof letter>[]) => ok({ messages, next: null })
const later = () => new Promise(resolve => setTimeout(resolve))

beforeEach(() => phone.clear())

describe('a message aloud', () => {
  const one = { title: '退费通知', lines: [{ label: '退费金额', text: '¥25.00' }], is_read: false, withheld: false }

  it('says first whether it was read', () => {
    expect(spoken(one, '今天 14:30')).toBe('未读，退费通知，今天 14:30，退费金额 ¥25.00')
    expect(spoken({ ...one, is_read: true }, '昨天 08:00')).toMatch(/^已读，退费通知，昨天/)
  })

  it('says that nothing is shown any more', () => {
    expect(spoken({ ...one, lines: [], withheld: true }, '今天 14:30')).toContain(WITHHELD)
  })

  it.each([[undefined, ''], [0, '没有未读'], [3, '3 条未读'], [99, '99 条未读'], [100, '99+ 条未读']])('%s unread is "%s"', (number, text) => {
    expect(unreadText(number)).toBe(text)
  })
})

describe('a kind of message', () => {
  it.each([
    ['ON', 2, '微信还会提醒 2 次', 'ask'], ['ON', null, '微信会提醒', undefined], ['OFF', 0, '未开启', 'ask'],
    ['REJECTED', 0, '已拒绝', 'ask'], ['BANNED', 0, '暂不能用', undefined],
  ])('that is %s (%s)', (standing, allowed, word, does) => {
    const choice = choiceOf(kind(standing, allowed), null)
    expect([choice.word, choice.does]).toEqual([word, does])
  })

  it('which the phone refuses by itself leads to WeChat\'s settings, whatever the hospital knows', () => {
    expect(choiceOf(kind('ON', 2), { isOn: true, kept: { T: 'reject' } }).does).toBe('settings')
    expect(choiceOf(kind('ON', 2), { isOn: false, kept: {} }).does).toBe('settings')
    expect(choiceOf(kind('OFF'), { isOn: true, kept: { T: 'ban' } }).does).toBeUndefined()
    expect(choiceOf(kind('OFF'), { isOn: true, kept: { T: 'accept', other: 'reject' } }).does).toBe('ask')
  })
})

describe('asking', () => {
  it('is told to the hospital behind the person\'s back, and what to ask for is fetched anew', async () => {
    phone.answers = { T: 'accept', U: 'ban' }
    const { asked } = server(ok({ template_ids: ['T', 'U'] }), ok(undefined, 204), ok({ template_ids: ['T'] }))
    await prepareToAsk('one')
    await askToSend('one')
    await later()
    expect(asked.map(one => `${one.method} ${one.address}`)).toEqual([
      'GET /api/messages/templates?scene=one', 'POST /api/messages/subscriptions', 'GET /api/messages/templates?scene=one',
    ])
    expect(asked[1]?.json).toEqual({ answers: [{ template_id: 'T', answer: 'accept' }, { template_id: 'U', answer: 'ban' }] })
    await askToSend('one')
    expect(phone.asks).toEqual([['T', 'U'], ['T']])
  })

  it('of nothing tells nothing, and an answer that does not arrive holds nobody up', async () => {
    const { asked } = server(no(422, 'x'))
    expect(await report({})).toBe(false)
    expect(await report({ T: 'accept' })).toBe(false)
    expect(asked.length).toBe(1)
  })

  it('an answer that was lost is told again under its own key', async () => {
    const { asked } = server(no(500, 'x'), no(500, 'x'), no(500, 'x'), ok(undefined, 204), ok(undefined, 204))
    expect(await report({ T: 'accept' })).toBe(false)
    expect(await report({ T: 'accept' })).toBe(true)
    expect(await report({ T: 'accept' })).toBe(true)
    const keys = asked.map(one => one.headers['Idempotency-Key'])
    expect(new Set(keys.slice(0, 4)).size).toBe(1)
    expect(keys[4]).not.toBe(keys[0])
  })
})

describe('the inbox', () => {
  it('shows a message as read at once, and as unread again when that did not arrive', async () => {
    const { asked } = server(inbox(letter('B'), letter('A')), ok({ unread: 2 }), no(422, 'x'), ok(undefined, 204))
    const { messages, unread, load, read } = useInbox()
    await load()
    read('B')
    expect([messages.value.map(one => one.is_read), unread.value]).toEqual([[true, false], 1])
    await later()
    expect(messages.value.map(one => one.is_read)).toEqual([false, false])
    expect(unread.value).toBe(2)
    read('A')
    read('A')
    await later()
    expect(asked.length).toBe(4)
  })

  it('reads all up to the newest one that is shown', async () => {
    const { asked } = server(
      inbox(letter('B'), letter('A')), ok({ unread: 2 }), ok(undefined, 204), inbox(letter('B', true)), ok({ unread: 0 }),
    )
    const { unread, load, readAll } = useInbox()
    await load()
    await readAll.act()
    expect(asked[2]?.json).toEqual({ newest: 'B' })
    expect(unread.value).toBe(0)
  })
})

describe('the settings', () => {
  it('ask for one template, tell what was answered, and look again', async () => {
    phone.answers = { T: 'accept' }
    phone.messageSettings = { isOn: true, kept: {} }
    const kinds = (standing: string) => ok({ kinds: [{ ...kind(standing, 1), kind: 'booking_confirmed' }] })
    const { asked } = server(kinds('OFF'), ok(undefined, 204), kinds('ON'))
    const { rows, load, changing } = useSettings()
    await load()
    expect(rows.value?.[0]?.choice.word).toBe('未开启')
    await changing.act('ask', 'T')
    expect(phone.asks).toEqual([['T']])
    expect(asked[1]?.json).toEqual({ answers: [{ template_id: 'T', answer: 'accept' }] })
    expect(rows.value?.[0]?.choice.word).toBe('微信还会提醒 1 次')
  })
})
