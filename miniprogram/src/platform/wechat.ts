/** WeChat, by its own interface. Sources: developers.weixin.qq.com, 小程序 API. */
import type { Answer, Answers, Closed, Host } from './host'
import { hex, onNetwork, showPictures, storage, uploadPicture } from './common'
import { AGREE_BUTTON } from './host'

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
      return resolve({})
    wx.requestSubscribeMessage({
      tmplIds: templateIds.slice(0, 3),
      success: told => resolve(answers(told)),
      fail: () => resolve({}), // messages are switched off as a whole: nobody was asked
    })
  }),

  messageSettings: () => new Promise((resolve) => {
    wx.getSetting({
      withSubscriptions: true,
      success: ({ subscriptionsSetting }) => resolve(subscriptionsSetting
        ? { isOn: subscriptionsSetting.mainSwitch, kept: answers(subscriptionsSetting.itemSettings ?? {}) }
        : null),
      fail: () => resolve(null),
    })
  }),

  openSettings: () => new Promise((resolve) => {
    wx.openSetting({ withSubscriptions: true, complete: () => resolve() })
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

  pictureOf: path => new Promise((resolve, reject) => {
    wx.getImageInfo({
      src: path,
      success: ({ type }) => wx.getFileSystemManager().getFileInfo({
        filePath: path,
        success: ({ size }) => resolve({ type: type === 'unknown' ? '' : `image/${type}`, bytes: size }),
        fail: reject,
      }),
      fail: reject,
    })
  }),

  uploadPicture,

  showPictures,

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

  wantsPrivacy: () => new Promise((resolve) => {
    wx.getPrivacySetting({ success: ({ needAuthorization }) => resolve(needAuthorization), fail: () => resolve(false) })
  }),

  onPrivacy: told => wx.onNeedPrivacyAuthorization((given) => {
    const resolve = given as unknown as (answer: { event: 'agree' | 'disagree', buttonId?: string }) => void // its types lack it
    told(isAgreed => resolve(isAgreed ? { event: 'agree', buttonId: AGREE_BUTTON } : { event: 'disagree' }))
  }),

  call: phone => wx.makePhoneCall({ phoneNumber: phone, fail: () => undefined }), // given up: nothing to say

  fontSize: () => wx.getAppBaseInfo().fontSizeSetting ?? 16,

  keepAwake: isOn => void wx.setKeepScreenOn({ keepScreenOn: isOn }),

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

/** Of what WeChat tells, the answers by template; `acceptWithAudio` and its like are accepted too. */
function answers(told: object): Answers {
  const known = Object.entries(told).flatMap(([template, word]): [string, Answer][] => {
    if (typeof word !== 'string' || template === 'errMsg')
      return []
    if (word.startsWith('accept'))
      return [[template, 'accept']]
    return word === 'reject' || word === 'ban' || word === 'filter' ? [[template, word]] : []
  })
  return Object.fromEntries(known)
}
