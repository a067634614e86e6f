import { describe, expect, it } from 'vitest'
import type { Picture } from '../../src/feedback/rules'
import { given, kindOf, missing, noPicture, notNow, pictureWord, unfit, visitWords } from '../../src/feedback/rules'
import { useComplaint } from '../../src/feedback/use-complaint'
import { usePictures } from '../../src/feedback/use-pictures'
import { useSurvey } from '../../src/feedback/use-survey'
import { useWrite } from '../../src/feedback/use-write'
import { complaintMood, starsInWords } from '../../src/words/feedback'
import { host, phone } from './host'
import { no, ok, server } from './wire'

const question = (id: string, required: boolean) => ({ id, kind: 'STARS' as const, title: `${id}？`, required })
const picture = (state: Picture['state'], changes = {}): Picture => ({ key: 1, src: 'a', id: 'P', state, share: 0, reason: '', ...changes })
const seen = (state: string, changes = {}) => ok({ id: 'P1', state, state_text: '', reason_text: '', url: null, ...changes })
const form = ok({ id: 'P1', url: 'https://cos/', fields: { key: 'uploads/1' }, most_bytes: 10, until: '' }, 201)

describe('a survey', () => {
  it('says which answers are missing, and sends only those that were given', () => {
    const questions = [question('overall', true), question('waiting', false), question('doctor', true)]
    expect(missing(questions, { overall: 4 })).toContain('1 道')
    expect(missing(questions, { overall: 4, doctor: 1 })).toBe('')
    expect(given({ overall: 4, waiting: 0, words: '' })).toEqual({ overall: 4 })
  })

  it('says why not now', () => {
    expect(notNow('TOO_EARLY')).toContain('还没有结束')
    expect(notNow('OVER')).toContain('时间已过')
    expect(notNow('OPEN')).toBe('')
  })

  it('is sent with the version that was shown, and keeps the answers when that fails', async () => {
    const shown = { booking_id: 'B', state: 'OPEN', version: 3, questions: [question('overall', true)] }
    const { asked } = server(ok(shown), no(422, 'text_refused', '请去掉广告。'), ok({ state: 'ANSWERED' }), ok({ ...shown, state: 'ANSWERED' }))
    const page = useSurvey(() => 'B')
    await page.load()
    page.answer('overall', 5)
    await page.sending.act()
    expect(page.sending.failed.value?.sentence).toBe('请去掉广告。')
    expect(page.answers).toEqual({ overall: 5 })
    await page.sending.act()
    expect(asked[2]?.json).toEqual({ version: 3, answers: { overall: 5 } })
    expect(page.survey.value?.state).toBe('ANSWERED')
  })
})

describe('a picture', () => {
  it('is looked at before it is uploaded', () => {
    expect(noPicture({ type: 'image/png', bytes: 10 })).toBe('')
    expect(noPicture({ type: 'image/heic', bytes: 10 })).toContain('不是可识别')
    expect(noPicture({ type: 'image/jpeg', bytes: 11 * 1024 * 1024 })).toContain('10MB')
  })

  it.each(['uploading', 'checking', 'ready', 'refused', 'failed'] as const)('%s has a word', (state) => {
    expect(pictureWord(picture(state, { share: 0.42 }))).not.toBe('')
  })

  it('goes where the form says, and is then looked at by the hospital', async () => {
    phone.clear()
    phone.pictures = { 'tmp/1.jpg': { type: 'image/jpeg', bytes: 5 } }
    const { asked } = server(form, seen('UPLOADED'))
    let changes = 0
    const files = usePictures(() => changes++)
    await files.add()
    expect(phone.uploaded).toEqual(['tmp/1.jpg https://cos/'])
    expect(asked.map(one => one.address)).toEqual(['/api/feedback/pictures', '/api/feedback/pictures/P1/uploaded'])
    expect([files.pictures.value[0]?.state, changes]).toEqual(['checking', 1])
  })

  it('that did not arrive can be sent again', async () => {
    phone.clear()
    phone.pictures = { 'tmp/1.jpg': { type: 'image/jpeg', bytes: 5 } }
    phone.isAble = false
    server(form, form, seen('READY', { url: 'https://cos/p' }))
    const files = usePictures(() => undefined)
    await files.add()
    const [one] = files.pictures.value
    expect([one?.state, one?.reason]).toEqual(['failed', '图片没有传完，请检查网络后重试。'])
    phone.isAble = true
    await files.upload(one as Picture)
    expect(files.pictures.value[0]?.state).toBe('ready')
  })

  it('of no kind that is taken is not uploaded', async () => {
    phone.clear()
    phone.pictures = { 'tmp/1.gif': { type: 'image/gif', bytes: 5 } }
    server()
    const files = usePictures(() => undefined)
    await files.add()
    expect(files.pictures.value[0]?.state).toBe('refused')
  })
})

describe('a word to the hospital', () => {
  it('needs some characters, and pictures that have arrived', () => {
    expect(unfit('  短 ', [])).toContain('至少 5 个字')
    expect(unfit('饮水机没有热水', [picture('uploading')])).toContain('还在上传')
    expect(unfit('饮水机没有热水', [picture('refused')])).toContain('没有添加成功')
    expect(unfit('饮水机没有热水', [picture('checking'), picture('ready')])).toBe('')
  })

  it('is kept on the phone until it is sent, under one key while it stays the same', async () => {
    phone.clear()
    const busy = no(503, 'unavailable')
    const { asked } = server(ok({ bookings: [], next: null }), busy, busy, busy, ok({ id: 'C' }, 201))
    const page = useWrite()
    await page.open(undefined, '')
    page.change({ text: '饮水机没有热水', kind: 'SUGGESTION' })
    expect(host.storage.get('draft:feedback')).toMatchObject({ text: '饮水机没有热水', kind: 'SUGGESTION' })
    await page.sending.act()
    expect(page.sending.failed.value?.trouble).toBe('busy')
    let led = ''
    Object.assign(globalThis, { uni: { redirectTo: ({ url }: { url: string }) => void (led = url) } })
    await page.sending.act()
    expect(new Set(asked.slice(1).map(one => one.headers['Idempotency-Key'])).size).toBe(1)
    expect([led, host.storage.get('draft:feedback')]).toEqual(['/feedback/complaint?id=C', undefined])
  })

  it('comes back as it was left, with the pictures that are still there', async () => {
    phone.clear()
    host.storage.set('draft:feedback', { kind: 'PRAISE', text: '护士很好', about: 'VISIT', aboutId: 'B1', pictures: ['P1', 'P2'] })
    server(
      ok({ bookings: [{ id: 'B1', visit_date: '2026-11-23', department_name: '心内科', doctor_name: '王', withheld: false }], next: null }),
      seen('READY', { url: 'https://cos/p' }),
      no(404, 'picture_not_found'),
    )
    const page = useWrite()
    await page.open(undefined, '')
    expect(page.draft).toEqual({ kind: 'PRAISE', text: '护士很好', about: 'VISIT', aboutId: 'B1' })
    expect(page.files.pictures.value.map(one => [one.id, one.src])).toEqual([['P1', 'https://cos/p']])
    expect(page.choices.value).toEqual({ '': '不指定', B1: '11月23日 心内科 王' })
  })

  it('has a kind, whatever an address says', () => {
    expect([kindOf('PRAISE'), kindOf('x'), kindOf(undefined)]).toEqual(['PRAISE', 'COMPLAINT', 'COMPLAINT'])
    expect(visitWords({ visit_date: '2026-01-02', department_name: '儿科', doctor_name: '李' })).toBe('1月2日 儿科 李')
  })
})

describe('a complaint on its way', () => {
  const one = (changes = {}) => ok({ id: 'C', state: 'ANSWERED', pictures: [], entries: [], ...changes })

  it('is rated and looked at once more', async () => {
    const { asked } = server(one(), one({ stars: 2 }), one({ stars: 2 }), one({ state: 'REOPENED' }), one({ state: 'REOPENED' }))
    const page = useComplaint(() => 'C')
    await page.load()
    page.stars.value = 2
    await page.rating.act()
    page.reason.value = ' 还是没有热水 '
    expect(page.isReason.value).toBe(true)
    await page.reopening.act()
    expect(asked.filter(sent => sent.method === 'POST').map(sent => sent.json)).toEqual([{ stars: 2 }, { text: '还是没有热水' }])
    expect(page.complaint.value?.state).toBe('REOPENED')
  })

  it.each(['RECEIVED', 'IN_HAND', 'ANSWERED', 'REOPENED', 'CLOSED', 'WITHDRAWN'])('%s has a mood', (state) => {
    expect(complaintMood(state)).toBeTruthy()
  })

  it('has stars that are words', () => expect(starsInWords(5)).toBe('5 星，很满意'))
})
