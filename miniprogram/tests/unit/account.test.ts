import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { deviceName, history, lastUsed } from '../../src/account/rules'
import { useDevices } from '../../src/account/use-devices'
import { get } from '../../src/api/request'
import { consentsOf, why } from '../../src/family/consents'
import { documentsFor } from '../../src/family/rules'
import { useConsent } from '../../src/family/use-consent'
import { useHolders } from '../../src/family/use-holders'
import { usePrivacy } from '../../src/parts/use-privacy'
import { againText, beforeAgain } from '../../src/parts/again'
import { useLoad } from '../../src/parts/use-load'
import { useHospital } from '../../src/session/hospital'
import { usePatients } from '../../src/session/patients'
import { begin } from '../../src/session/session'
import { host, phone } from './host'
import { no, ok, server } from './wire'

type Phone = Parameters<typeof deviceName>[0]

const profile = (version = 1, phone = '120') => ok({ name: '一院', phone, texts: [{ purpose: 'PRIVACY_POLICY', version }] })
const text = (purpose: string, version = 2) => ({ purpose, version, title: purpose, body: '', effective_at: '' })
const given = (purpose: string, version: number, granted_at: string, withdrawn_at: string | null = null) =>
  ({ patient_id: 'P', purpose, version, granted_at, withdrawn_at })

beforeEach(async () => {
  phone.clear()
  setActivePinia(createPinia())
  host.storage.set('session', { token: 'T1', secret: 'S1' })
  await begin()
})

describe('the hospital\'s face', () => {
  it('is what was last known at once, and is fetched no more often than need be', async () => {
    const { asked } = server(profile(), profile(1, '110'))
    await useHospital().load()
    await useHospital().load()
    expect(asked).toHaveLength(1)
    expect(asked[0]?.headers.Authorization).toBeUndefined()
    setActivePinia(createPinia()) // the program is opened again
    expect(useHospital().profile?.phone).toBe('120')
    await useHospital().load(true)
    expect(useHospital().profile?.phone).toBe('110')
  })
})

describe('the privacy policy', () => {
  it('is asked for once, before something personal, and again when it has changed', async () => {
    server(profile(1), profile(2))
    await useHospital().load()
    const page = usePrivacy()
    const asked = page.ask()
    await Promise.resolve()
    await Promise.resolve()
    expect(page.isAsking.value).toBe(true)
    page.answer(true)
    expect(await asked).toBe(true)
    expect(await usePrivacy().ask()).toBe(true)
    await useHospital().load(true)
    const again = usePrivacy()
    void again.ask()
    await new Promise(resolve => setTimeout(resolve))
    expect(again.isAsking.value).toBe(true)
  })

  it('is asked for when the host wants it, whatever was said before', async () => {
    host.storage.set('privacy:agreed', 1)
    phone.wantsPrivacy = true
    const page = usePrivacy()
    const asked = page.ask()
    await new Promise(resolve => setTimeout(resolve))
    expect(page.isAsking.value).toBe(true)
    page.answer(false)
    expect([await asked, page.isRefused.value]).toEqual([false, true])
    expect(host.storage.get('privacy:agreed')).toBe(1)
  })

  it('the host\'s own question is answered by the page in sight, and with no by one that is not', async () => {
    const page = usePrivacy()
    const told: boolean[] = []
    page.begin()
    phone.privacy?.(isAgreed => told.push(isAgreed))
    page.answer(true)
    await Promise.resolve()
    page.end()
    phone.privacy?.(isAgreed => told.push(isAgreed))
    expect([told, page.isAsking.value]).toEqual([[true, false], false])
  })
})

describe('consents of a patient', () => {
  const texts = [text('CHILD_GUARDIAN'), text('HEALTH_DATA')]

  it('stand, are old, were taken back, or were never given', () => {
    const all = (missing: string[], ...some: ReturnType<typeof given>[]) =>
      consentsOf('P', missing, texts, some).map(one => `${one.purpose} ${one.standing}`)
    expect(all([], given('HEALTH_DATA', 2, '2026-11-02'))).toEqual(['HEALTH_DATA given'])
    expect(all(['HEALTH_DATA'], given('HEALTH_DATA', 1, '2026-11-01'))).toEqual(['HEALTH_DATA newer'])
    expect(all(['HEALTH_DATA', 'CHILD_GUARDIAN'], given('HEALTH_DATA', 2, '2026-11-01', '2026-11-03')))
      .toEqual(['CHILD_GUARDIAN never', 'HEALTH_DATA withdrawn'])
    expect(all([], given('HEALTH_DATA', 2, '2026-11-01', '2026-11-03'), given('HEALTH_DATA', 2, '2026-11-04')))
      .toEqual(['HEALTH_DATA given'])
    expect(consentsOf('Q', [], texts, [given('HEALTH_DATA', 2, '2026-11-02')])).toEqual([])
  })

  it('say why they are asked for, unless they stand', () => {
    expect(['newer', 'withdrawn', 'never', 'given'].map(one => Boolean(why(one as 'newer')))).toEqual([true, true, true, false])
  })

  it('are given anew one by one, to the texts that were shown', async () => {
    const patient = (...consents_missing: string[]) => ok({ patients: [{ id: 'P', consents_missing }] })
    const shown = ok({ texts, given: [] })
    const { asked } = server(shown, patient('HEALTH_DATA', 'CHILD_GUARDIAN'), ok(undefined, 204), ok(undefined, 204), shown, patient())
    const page = useConsent(() => 'P')
    await page.load()
    expect(await page.granting.act(page.missing.value)).toBe(true)
    expect(asked.filter(one => one.method === 'POST').map(one => one.json)).toEqual([
      { patient_id: 'P', purpose: 'CHILD_GUARDIAN', version: 2 }, { patient_id: 'P', purpose: 'HEALTH_DATA', version: 2 }])
  })

  it('a text that changed while it was read is told, and nothing is taken for agreed to', async () => {
    server(ok({ texts, given: [] }), ok({ patients: [{ id: 'P', consents_missing: ['HEALTH_DATA'] }] }), no(409, 'consent_outdated', '已更新'))
    const page = useConsent(() => 'P')
    await page.load()
    expect(await page.granting.act(page.missing.value)).toBeUndefined()
    expect(page.granting.failed.value?.sentence).toBe('已更新')
  })
})

describe('the documents offered', () => {
  it('are the usual ones first, a child\'s for children', () => {
    expect(Object.keys(documentsFor('SELF').usual)).toEqual(['ID_CARD'])
    expect(Object.keys(documentsFor('CHILD').usual)).toEqual(['ID_CARD', 'BIRTH_CERTIFICATE', 'NONE'])
    expect(Object.keys(documentsFor('SELF').rare)).toEqual(['HK_MACAU_PERMIT', 'TAIWAN_PERMIT', 'PERMANENT_RESIDENT', 'PASSPORT'])
    expect(Object.keys(documentsFor('OTHER').rare)).toContain('BIRTH_CERTIFICATE') // a grandchild
  })
})

describe('where one is signed in', () => {
  const NOW = Date.parse('2026-11-30T02:00:00Z')

  it('is said in words', () => {
    expect(lastUsed({ is_current: true, last_used_at: '2026-11-30T01:30:00Z' }, NOW)).toContain('本机')
    expect(lastUsed({ is_current: false, last_used_at: '2026-11-30T01:30:00Z' }, NOW)).toBe('最近使用 今天 09:30')
    expect([['', false], ['', true], ['Mate 60', true]].map(([device, is_current]) => deviceName({ device, is_current } as Phone)))
      .toEqual(['未知设备', '这台手机', 'Mate 60'])
    expect(history({ granted_at: '2026-11-30T01:30:00Z', withdrawn_at: null }, NOW)).toBe('今天 09:30 同意')
    expect(history({ granted_at: '2026-11-29T01:30:00Z', withdrawn_at: '2026-11-30T01:30:00Z' }, NOW)).toContain('撤回')
  })

  it('one, and all others, can be ended', async () => {
    const { asked } = server(ok({ ended: 0 }, 204), ok({ sessions: [] }), ok({ ended: 2 }), ok({ sessions: [] }))
    const page = useDevices()
    await page.ending.act('S2')
    await page.endingOthers.act()
    expect(asked.map(one => `${one.method} ${one.address}`)).toEqual([
      'DELETE /api/account/sessions/S2', 'GET /api/account/sessions',
      'DELETE /api/account/sessions/others', 'GET /api/account/sessions'])
  })

  it('who signs out stays out until a tap, and nothing of them is shown', async () => {
    const { asked } = server(
      ok({ bookings: [], next: null }), ok(undefined, 204), no(401, 'no_session'),
      ok({ token: 'T2', expires_at: '' }, 201), ok({ bookings: [], next: null }),
    )
    const list = useLoad(() => get('/api/booking/bookings'))
    await list.load()
    host.storage.set('patient', 'P')
    expect(await useDevices().leaving.act()).toBe(true)
    await list.load()
    expect([list.data.value, list.failed.value?.sentence, againText(list.failed.value)]).toEqual([undefined, '你已退出登录。', '登录'])
    expect([usePatients().all, host.storage.get('patient')]).toEqual([undefined, undefined])
    await begin().catch(() => undefined) // the program is opened again: still nobody
    expect(asked.at(-1)?.address).toBe('/api/booking/bookings')
    await beforeAgain(list.failed.value)
    await list.load()
    expect(list.failed.value).toBeUndefined()
    expect(asked.at(-1)?.headers.Authorization).toBe('Bearer T2')
  })
})

it('another account\'s hold is ended, and the list is as it is then', async () => {
  const { asked } = server(ok({ holders: [{ id: 'B' }] }), ok(undefined, 204), ok({ holders: [] }))
  const page = useHolders(() => 'P')
  await page.load()
  await page.ending.act('B')
  expect([asked[1]?.address, page.holders.value]).toEqual(['/api/account/patients/P/holders/B', []])
})
