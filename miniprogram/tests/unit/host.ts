/** A host for tests: a phone whose storage is a map, and that does as it is told. */
import type { Answers, Closed, Host, MessageSettings, PaymentSheet } from '../../src/platform/host'

export type { Answer, Answers, Closed, Host, MessageSettings, PaymentSheet, Place } from '../../src/platform/host'

const kept = new Map<string, unknown>()
let drawn = 0

export const phone = {
  codes: [] as (string | Error)[],
  closes: [] as Closed[],
  sheets: [] as PaymentSheet[],
  scans: [] as (string | null)[],
  opened: [] as string[],
  asks: [] as (readonly string[])[],
  answers: {} as Answers,
  messageSettings: null as MessageSettings | null,
  /** The pictures that are chosen, by path, and what was uploaded. */
  pictures: {} as Record<string, { type: string, bytes: number }>,
  uploaded: [] as string[],
  /** Whether documents can be opened, and other mini-programs jumped to. */
  isAble: true,
  wantsPrivacy: false,
  /** What the page has given to be called when the host wants the guide agreed to. */
  privacy: undefined as ((answer: (isAgreed: boolean) => void) => void) | undefined,
  /** Whether the screen is kept on. */
  isAwake: false,
  clear(): void {
    kept.clear()
    this.codes = []
    this.closes = []
    this.sheets = []
    this.scans = []
    this.opened = []
    this.asks = []
    this.answers = {}
    this.messageSettings = null
    this.pictures = {}
    this.uploaded = []
    this.isAble = true
    this.wantsPrivacy = false
    this.privacy = undefined
    this.isAwake = false
  },
}

const nothing = () => Promise.reject(new Error('not in this test'))

export const host: Host = {
  signInCode: async () => {
    const code = phone.codes.shift() ?? 'code'
    if (code instanceof Error)
      throw code
    return code
  },
  phoneCode: async () => 'phone-code',
  pay: async (sheet) => {
    phone.sheets.push(sheet)
    return phone.closes.shift() ?? 'done'
  },
  askToSend: async (templateIds) => {
    phone.asks.push(templateIds)
    return phone.answers
  },
  messageSettings: async () => phone.messageSettings,
  openSettings: async () => undefined,
  scan: async () => phone.scans.shift() ?? null,
  whereAmI: nothing,
  showPlace: () => undefined,
  choosePictures: async most => Object.keys(phone.pictures).slice(0, most),
  pictureOf: async (path) => {
    const found = phone.pictures[path]
    if (found === undefined)
      throw new Error('no such picture')
    return found
  },
  uploadPicture: async (path, { url }, told) => {
    told(0.5)
    phone.uploaded.push(`${path} ${url}`)
    if (!phone.isAble)
      throw new Error('no network')
    told(1)
  },
  showPictures: () => undefined,
  openDocument: async (url) => {
    if (!phone.isAble)
      throw new Error('no such file')
    phone.opened.push(url)
  },
  jumpTo: async (appId, path) => {
    phone.opened.push(`${appId} ${path}`)
    return phone.isAble
  },
  onNetwork: () => undefined,
  wantsPrivacy: async () => phone.wantsPrivacy,
  onPrivacy: told => void (phone.privacy = told),
  call: number => void phone.opened.push(`tel:${number}`),
  fontSize: () => 16,
  keepAwake: isOn => void (phone.isAwake = isOn),
  storage: {
    get: name => kept.get(name),
    set: (name, value) => void kept.set(name, value),
    remove: name => void kept.delete(name),
  },
  randomHex: async bytes => (++drawn).toString(16).padStart(bytes * 2, '0'),
  device: () => 'test phone',
}
