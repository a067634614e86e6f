import { describe, expect, it } from 'vitest'
import { byDoctor, intention, missed, ofThatDay, terms } from '../../src/booking/rules'
import { asksGuardian, blank, bornBy, missing } from '../../src/family/rules'
import { again, nextVisit } from '../../src/home/rules'
import { consequence, seen, waitingFor, waitingMood, waitingNext } from '../../src/visit/rules'

const session = (doctor: string, day: number, free: number, state = 'OPEN') => ({
  doctor_id: doctor, doctor_name: doctor, doctor_title: '', state, free, starts_at: `2026-12-0${day}T01:00:00Z`,
})

describe('choosing a doctor', () => {
  it('puts who has the earliest place first, and who has none last', () => {
    const found = byDoctor([session('full', 1, 0), session('late', 3, 2), session('stopped', 1, 5, 'STOPPED'), session('early', 2, 1)])
    expect(found.map(one => one.id)).toEqual(['early', 'late', 'full', 'stopped'])
  })

  it('another place, patient or fee is another intention', () => {
    const order = { patient_id: 'P', schedule_id: 'S', slot_id: null, fee_fen: 1 }
    const others = [{ ...order, slot_id: 'L' }, { ...order, fee_fen: 2 }, { ...order, patient_id: 'Q' }]
    expect(new Set([order, ...others].map(intention)).size).toBe(4)
  })
})

describe('what taking a place means', () => {
  const now = Date.parse('2026-12-01T00:00:00Z')
  const places = (pay_now: boolean, ...until: string[]) =>
    ({ hold_minutes: 15, pay_now, slots: until.map(cancel_until => ({ cancel_until })) })

  it('is said in words: paying, keeping, giving up until when', () => {
    expect(terms(places(true, '2026-12-01T09:00:00Z'), undefined, 1500, now)).toEqual([
      '号源会为你保留 15 分钟，请在这段时间内付款。', '今天 17:00 前可以在手机上取消，已付的挂号费原路退回。',
    ])
    expect(terms(places(false, '2026-12-01T09:00:00Z'), undefined, 1500, now)[0]).toContain('取号时再付')
    expect(terms(places(false, '2026-12-01T09:00:00Z'), undefined, 0, now)[0]).toBe('不用付款。')
  })

  it('follows the place that was chosen, and says when it can not be given up', () => {
    const two = places(true, '2026-12-01T09:00:00Z', '2026-11-30T09:00:00Z')
    expect(terms(two, two.slots[1], 1500, now)[1]).toContain('不能在手机上取消')
    expect(terms(places(true), undefined, 1500, now)).toHaveLength(1)
  })
})

describe('the home page', () => {
  const one = (state: string, starts_at: string, expires_at: string | null = null) =>
    ({ state, starts_at, expires_at, visit_date: starts_at.slice(0, 10) })

  it('puts what is to be paid before what is near', () => {
    const near = one('CONFIRMED', '2026-12-01T01:00:00Z')
    const unpaid = one('HELD', '2026-12-05T01:00:00Z', '2026-12-01T00:10:00Z')
    expect(nextVisit([near, unpaid], '2026-12-01')).toBe(unpaid)
    expect(nextVisit([near], '2026-12-01')).toBe(near)
    expect(nextVisit([near], '2026-12-02')).toBeUndefined()
    expect(nextVisit([one('CANCELLED', '2026-12-05T01:00:00Z')], '2026-12-01')).toBeUndefined()
  })

  it('offers doctors seen before who have a place, two at most, and nothing that is booked already', () => {
    const doctor = (id: string, ...free: number[]) => ({
      id, sessions: free.map((number, at) => ({
        doctor_id: id, visit_date: `2026-12-0${at + 1}`, period: 'MORNING', state: 'OPEN', free: number,
      })),
    })
    const seen = [doctor('a', 0), doctor('b', 0, 3), doctor('c', 1, 1), doctor('d', 1)]
    expect(again(seen, []).map(one => one.doctor.id)).toEqual(['b', 'c'])
    const booked = { doctor_id: 'c', visit_date: '2026-12-01', period: 'MORNING', state: 'CONFIRMED' }
    expect(again(seen, [booked]).map(one => one.session.visit_date)).toEqual(['2026-12-02', '2026-12-02'])
    expect(again(seen, [{ ...booked, state: 'CANCELLED' }])[1]?.session.visit_date).toBe('2026-12-01')
  })
})

describe('adding a patient', () => {
  it('reads the birth date from an identity card', () => {
    expect(bornBy({ ...blank(), id_number: '44990120200501001' })).toBe('')
    expect(bornBy({ ...blank(), id_number: '449901 20200501 001x' })).toBe('2020-05-01')
  })

  it('asks for a guardian until the birthday that the hospital has set', () => {
    const child = { ...blank(), id_number: '449901200812010016' }
    expect(asksGuardian(child, '2026-11-30', 18)).toBe(true)
    expect(asksGuardian(child, '2026-12-01', 18)).toBe(false)
    expect(asksGuardian(child, '2022-11-30', 14)).toBe(true)
    expect(asksGuardian(child, '2022-12-01', 14)).toBe(false)
    expect(asksGuardian({ ...blank(), id_type: 'NONE' }, '2026-12-01', 18)).toBe(true)
  })

  it('says what is missing, one thing at a time', () => {
    const draft = { ...blank(), name: '王芳', id_number: '449901199010110016', phone: '13800138000' }
    expect(missing({ ...draft, name: ' ' }, [], '2026-12-01', 14)).toContain('姓名')
    expect(missing(draft, ['HEALTH_DATA'], '2026-12-01', 14)).toContain('同意')
    expect(missing({ ...draft, agreed: ['HEALTH_DATA'] }, ['HEALTH_DATA'], '2026-12-01', 14)).toBe('')
    expect(missing({ ...draft, id_type: 'PASSPORT' }, [], '2026-12-01', 14)).toContain('出生日期')
  })
})

describe('a registration', () => {
  it('is settled once it can\'t be paid and is not being confirmed', () => {
    expect(seen({ state: 'AWAITING_PAYMENT', can_pay: true })).toBe('open')
    expect(seen({ state: 'CONFIRMING', can_pay: false })).toBe('pending')
    expect(seen({ state: 'REJECTED', can_pay: false })).toBe('settled')
  })

  it('says what cancelling leads to before it is done', () => {
    const paid = { state: 'CONFIRMED', can_cancel: true, fee_fen: 1500, needs_payment: true }
    expect(consequence(paid)).toContain('¥15.00')
    expect(consequence({ ...paid, fee_fen: 0 })).not.toContain('¥')
  })
})

describe('waiting for a place', () => {
  const entry = { state: 'WAITING', reason_text: '', visit_date: '2026-12-04', period: 'MORNING', ahead: 3 }
  const now = Date.parse('2026-11-30T16:30:00Z')

  it('says what for and how many come before', () => {
    expect(waitingFor(entry, now)).toBe('12月4日 周五 上午')
    expect(waitingFor({ ...entry, visit_date: '2026-12-02', period: null }, now)).toBe('明天 任一时段')
    expect(waitingNext(entry)).toBe('前面还有 3 人，有号会通知你。')
    expect(waitingNext({ ...entry, ahead: 0 })).toContain('第一位')
    expect(waitingNext({ ...entry, state: 'OFFERED' })).toContain('留给你')
    expect(waitingNext({ ...entry, state: 'ENDED', reason_text: '该出诊已停诊。' })).toBe('该出诊已停诊。')
    expect(['WAITING', 'OFFERED', 'LEFT'].map(waitingMood)).toEqual(['wait', 'good', 'quiet'])
  })

  it('offers any of the day where the doctor has several sessions and all are full', () => {
    const on = (id: string, free: number, day = '2026-12-04', state = 'OPEN') =>
      ({ ...session('d', 4, free, state), id, visit_date: day })
    const [first, second, other] = [on('a', 0), on('b', 0), on('c', 0, '2026-12-05')]
    expect(ofThatDay([first, second, other], first)).toEqual([first, second])
    expect(ofThatDay([first, on('b', 1)], first)).toEqual([])
    expect(ofThatDay([first, on('b', 0, '2026-12-04', 'STOPPED'), other], first)).toEqual([])
    expect(ofThatDay([first, second], undefined)).toEqual([])
  })

  it('tells how often a patient has missed only where they have', () => {
    expect(missed({ missed: 2, rule_text: '一年内爽约满3次，暂停预约1个月。' })).toBe('2 次。一年内爽约满3次，暂停预约1个月。')
    expect([missed({ missed: 0, rule_text: 'x' }), missed(undefined)]).toEqual(['', ''])
  })
})
