/**
 * The browser's twin of WeChat. What only WeChat can do, such as knowing who holds the phone and taking the money, is
 * asked of whoever serves the page, below `town/`; the questions that WeChat would put are dialogs of `sheet.ts`.
 */
import type { Closed, Host } from './host'
import { hex, onNetwork, storage } from './common'
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

async function paid(sheet: object, prepayId: string): Promise<Closed> {
  try {
    await tell('POST', `/wechatpay/prepay/${prepayId}/pay`, { ...sheet, openid: (await phone()).openid })
    return 'done'
  }
  catch {
    return 'failed'
  }
}

export const browser: Host = {
  signInCode: async () => (await tell<{ code: string }>('POST', `/wechat/phones/${(await phone()).openid}/login-code`)).code,

  phoneCode: async () => {
    const { openid, phone: number } = await phone()
    const isAllowed = await ask('申请获取并验证你的手机号', number, ['允许', '不允许']) === 0
    return isAllowed ? (await tell<{ code: string }>('POST', `/wechat/phones/${openid}/phone-code`)).code : null
  },

  pay: async (sheet) => {
    const chosen = await ask('微信支付', '请确认付款', ['确认支付', '取消'])
    return chosen === 0 ? paid(sheet, sheet.package.split('=')[1] ?? '') : 'cancelled'
  },

  askToSend: async (templateIds) => {
    if (templateIds.length === 0)
      return
    const { openid } = await phone()
    // As WeChat's "always keep this choice", without which it would ask before every registration.
    const isAllowed = (storage.get(MESSAGES)
      ?? (await ask('接收通知', '医院申请向你发送挂号、缴费等通知', ['允许', '取消']) === 0 ? 'yes' : 'no')) === 'yes'
    storage.set(MESSAGES, isAllowed ? 'yes' : 'no')
    for (const template_id of templateIds.slice(0, 3))
      await tell('POST', `/wechat/phones/${openid}/consent`, { template_id, accept: isAllowed, times: 1 }).catch(() => undefined)
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

  openDocument: (url) => {
    window.open(url, '_blank', 'noopener')
    return Promise.resolve()
  },

  jumpTo: () => Promise.resolve(false),

  onNetwork,

  agreeToPrivacy: () => Promise.resolve(true),

  fontSize: () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16,

  storage,

  randomHex: bytes => Promise.resolve(hex(crypto.getRandomValues(new Uint8Array(bytes)).buffer)),

  device: () => '浏览器',
}
