/**
 * The browser's twin of WeChat. What only WeChat can do, such as knowing who holds the phone and taking the money, is
 * asked of whoever serves the page, below `town/`; the questions that WeChat would put are dialogs of `sheet.ts`.
 */
import type { Answer, Closed, Host, PaymentSheet } from './host'
import { yuan } from '@/words/money'
import { hex, onNetwork, showPictures, storage, uploadPicture } from './common'
import { ask, askText } from './sheet'

const WORLD = import.meta.env.VITE_TOWN_BASE ?? '/town'
const PHONE = 'browser:phone'
const MESSAGES = 'browser:messages'

interface Phone {
  openid: string
  phone: string
}

async function tell<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(WORLD + path, {
    method,
    ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
  })
  if (!answer.ok)
    throw new Error(`${path} answered ${answer.status}: ${(await answer.text()).slice(0, 200)}`)
  return await answer.json() as T
}

async function phone(): Promise<Phone> {
  const kept = storage.get(PHONE) as Phone | undefined
  if (kept)
    return kept
  const born = await tell<Phone>('POST', '/wechat/phones', {})
  storage.set(PHONE, { openid: born.openid, phone: born.phone })
  return born
}

/** The payment sheet as the world keeps it: it may be answered here, or by whoever else holds the thumb. */
interface Sheet {
  id: string
  at: 'phone' | 'desk'
  state: 'OPEN' | 'PAID' | 'REFUSED' | 'CLOSED'
  description: string
  total_fen: number
}

const CLOSED: Record<Sheet['state'], Closed> = { OPEN: 'cancelled', PAID: 'done', REFUSED: 'failed', CLOSED: 'cancelled' }
const PAYS = '确认支付'
const LOOKS_AFTER = 500 // ms

async function answered(id: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await new Promise(resolve => setTimeout(resolve, LOOKS_AFTER))
    const { state } = await tell<Sheet>('GET', `/wechatpay/sheets/${id}`).catch(() => ({ state: 'OPEN' })) // looks again
    if (state !== 'OPEN')
      return
  }
}

async function paid(sheet: PaymentSheet): Promise<Closed> {
  const { id, at, description, total_fen } = await tell<Sheet>('POST', '/wechatpay/sheets', { ...sheet, openid: (await phone()).openid })
  let isOver = false
  const [buttons, where] = at === 'phone' ? [[PAYS, '取消'], ''] : [['取消'], '，请在手机旁边的面板上付款']
  const chosen = await ask('微信支付', `${description} ${yuan(total_fen)}${where}`, buttons, answered(id, () => isOver))
  isOver = true
  if (buttons[chosen] === PAYS)
    await tell('POST', `/wechatpay/sheets/${id}/pay`)
  const { state } = await tell<Sheet>('POST', `/wechatpay/sheets/${id}/close`)
  return CLOSED[state]
}

let awake: WakeLockSentinel | undefined

async function lock(isOn: boolean): Promise<void> {
  await awake?.release()
  awake = isOn && 'wakeLock' in navigator ? await navigator.wakeLock.request('screen') : undefined
}

export const browser: Host = {
  signInCode: async () => (await tell<{ code: string }>('POST', `/wechat/phones/${(await phone()).openid}/login-code`)).code,

  phoneCode: async () => {
    const { openid, phone: number } = await phone()
    const isAllowed = await ask('申请获取并验证你的手机号', number, ['允许', '不允许']) === 0
    return isAllowed ? (await tell<{ code: string }>('POST', `/wechat/phones/${openid}/phone-code`)).code : null
  },

  pay: sheet => paid(sheet).catch(() => 'failed' as const),

  askToSend: async (templateIds) => {
    if (templateIds.length === 0)
      return {}
    const { openid } = await phone()
    // As WeChat's "always keep this choice", without which it would ask before every registration.
    const isAllowed = (storage.get(MESSAGES)
      ?? (await ask('接收通知', '医院申请向你发送挂号、缴费等通知', ['允许', '取消']) === 0 ? 'yes' : 'no')) === 'yes'
    storage.set(MESSAGES, isAllowed ? 'yes' : 'no')
    const answer: Answer = isAllowed ? 'accept' : 'reject'
    const asked = templateIds.slice(0, 3)
    try {
      await tell('POST', `/wechat/phones/${openid}/consents`, { template_ids: asked, accept: isAllowed, times: 1 })
    }
    catch {
      return {} // as a WeChat that can't be reached: nobody was asked
    }
    return Object.fromEntries(asked.map(one => [one, answer]))
  },

  messageSettings: () => Promise.resolve({ isOn: storage.get(MESSAGES) !== 'no', kept: {} }),

  openSettings: async () => {
    const chosen = await ask('设置', '接收医院的通知', ['允许', '不允许'])
    storage.set(MESSAGES, chosen === 0 ? 'yes' : 'no')
  },

  scan: () => askText('扫码', '把二维码里的文字粘贴到这里'),

  whereAmI: () => new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ latitude: coords.latitude, longitude: coords.longitude }),
      () => resolve(null),
      { timeout: 5000 },
    )
  }),

  showPlace: place => void ask(place.name, place.address, ['知道了']),

  choosePictures: most => new Promise((resolve) => {
    uni.chooseImage({
      count: most,
      success: ({ tempFilePaths }) => resolve(([] as string[]).concat(tempFilePaths)),
      fail: () => resolve([]),
    })
  }),

  pictureOf: async (path) => {
    const { type, size } = await (await fetch(path)).blob()
    return { type, bytes: size }
  },

  uploadPicture,

  showPictures,

  openDocument: (url) => {
    window.open(url, '_blank', 'noopener')
    return Promise.resolve()
  },

  jumpTo: () => Promise.resolve(false),

  onNetwork,

  wantsPrivacy: () => Promise.resolve(false),

  onPrivacy: () => undefined,

  call: phone => window.location.assign(`tel:${phone}`),

  fontSize: () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16,

  keepAwake: isOn => void lock(isOn).catch(() => undefined), // a browser may refuse: then the screen goes dark as ever

  storage,

  randomHex: bytes => Promise.resolve(hex(crypto.getRandomValues(new Uint8Array(bytes)).buffer)),

  device: () => '浏览器',
}
