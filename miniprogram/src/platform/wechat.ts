/** WeChat, by its own interface. Sources: developers.weixin.qq.com, 小程序 API. */
import type { Closed, Host } from './host'
import { hex, onNetwork, storage } from './common'

const NO_NEW_DIALOG_MS = 10_000 // WeChat shows none within ten seconds of a refusal

let refusedAt = 0

export const wechat: Host = {
  signInCode: () => new Promise((resolve, reject) => {
    wx.login({ timeout: 10_000, success: ({ code }) => code ? resolve(code) : reject(new Error('no code')), fail: reject })
  }),

  phoneCode: event => Promise.resolve((event as { detail?: { code?: string } }).detail?.code ?? null),

  pay: ({ timeStamp, nonceStr, package: order, signType, paySign }) => new Promise((resolve) => {
    wx.requestPayment({
      timeStamp,
      nonceStr,
      package: order,
      signType: signType as 'RSA',
      paySign,
      success: () => resolve('done'),
      fail: ({ errMsg }) => resolve(closed(errMsg)),
    })
  }),

  askToSend: templateIds => new Promise((resolve) => {
    if (templateIds.length === 0)
      return resolve()
    wx.requestSubscribeMessage({ tmplIds: templateIds.slice(0, 3), complete: () => resolve() })
  }),

  scan: () => new Promise((resolve) => {
    wx.scanCode({ success: ({ result }) => resolve(result), fail: () => resolve(null) })
  }),

  whereAmI: () => new Promise((resolve) => {
    wx.getFuzzyLocation({
      type: 'gcj02',
      success: ({ latitude, longitude }) => resolve({ latitude, longitude }),
      fail: () => resolve(null),
    })
  }),

  showPlace: place => void wx.openLocation(place),

  choosePictures: most => new Promise((resolve) => {
    wx.chooseMedia({
      count: most,
      mediaType: ['image'],
      sizeType: ['compressed'],
      success: ({ tempFiles }) => resolve(tempFiles.map(one => one.tempFilePath)),
      fail: () => resolve([]),
    })
  }),

  openDocument: url => new Promise((resolve, reject) => {
    wx.downloadFile({
      url,
      success: ({ statusCode, tempFilePath }) => statusCode === 200
        ? wx.openDocument({ filePath: tempFilePath, fileType: 'pdf', showMenu: true, success: () => resolve(), fail: reject })
        : reject(new Error(`file answered ${statusCode}`)),
      fail: reject,
    })
  }),

  jumpTo: (appId, path) => new Promise((resolve) => {
    wx.navigateToMiniProgram({ appId, path, success: () => resolve(true), fail: () => resolve(false) })
  }),

  onNetwork,

  agreeToPrivacy: () => new Promise((resolve) => {
    if (Date.now() - refusedAt < NO_NEW_DIALOG_MS)
      return resolve(false)
    wx.requirePrivacyAuthorize({
      success: () => resolve(true),
      fail: () => {
        refusedAt = Date.now()
        resolve(false)
      },
    })
  }),

  fontSize: () => wx.getAppBaseInfo().fontSizeSetting ?? 16,

  storage,

  randomHex: bytes => new Promise((resolve, reject) => {
    wx.getRandomValues({ length: bytes, success: ({ randomValues }) => resolve(hex(randomValues)), fail: reject })
  }),

  device: () => wx.getDeviceInfo().model,
}

/** Closing the sheet and a payment that failed are told apart by the text alone. */
function closed(errMsg: string): Closed {
  return /cancel/i.test(errMsg) ? 'cancelled' : 'failed'
}
