/**
 * WeChat itself, as far as this program uses it: `wx`, which remembers how it was called, and the person who holds the
 * phone. Whoever that is to the server, and whether money moves, the sandbox says.
 */
import { randomBytes } from 'node:crypto'
import { exchange } from './wire.mjs'

const PAYMENT = ['nonceStr', 'package', 'paySign', 'signType', 'timeStamp']
const DEVICE = { model: 'A phone', brand: 'test', platform: 'android', system: 'Android 14', pixelRatio: 3 }
const WINDOW = { windowWidth: 390, windowHeight: 844, screenWidth: 390, screenHeight: 844, statusBarHeight: 24, pixelRatio: 3 }
const BASE = { language: 'zh_CN', version: '8.0.50', SDKVersion: '3.5.0', theme: 'light', fontSizeSetting: 16, host: { env: 'WeChat' } }

/**
 * `base`: where the build thinks the functions are; `api`: where they are. `person`: openid, and what they do when they
 * are asked (`pays`: thumb, cancel, fail; `agrees`; `scans`; `isHere`; `chooses`, of `pictures` by path in base64), and
 * `messages`: what WeChat keeps about them. `appId`: of the program that runs; `files`: the one other address that files may
 * come from and go to.
 */
export function wechatOf({ base, api, control, person, from, appId, files }) {
  return (phone) => {
    const calls = []
    const kept = new Map()
    let network = () => undefined
    let wantsPrivacy = true // the guide has not been agreed to
    let onPrivacy = null
    const agreed = new Set()

    /** As every interface of WeChat answers: later, one of success and fail, then complete. */
    function answering(name, does) {
      return (options = {}) => {
        const { success, fail, complete, ...asked } = options
        const taps = phone.taps
        calls.push({ name, asked: JSON.parse(JSON.stringify(asked)) })
        if (['requestSubscribeMessage', 'openSetting'].includes(name) && !phone.isTouched)
          phone.fault(`${name}: can only be invoked by user TAP gesture`)
        phone.later(async () => {
          let answer
          let told = success
          phone.isTouched &&= taps !== phone.taps // what was asked since the tap is answered: this is no tap any more
          try {
            answer = { errMsg: `${name}:ok`, ...await does(asked) }
          }
          catch (thrown) {
            told = fail
            answer = { errMsg: `${name}:fail ${thrown.message}`, ...(thrown.errno ? { errno: thrown.errno } : {}) }
          }
          phone.isTouched ||= name === 'requestPayment' && told === success
          phone.safely(name, () => told?.(answer))
          phone.safely(name, () => complete?.(answer))
        })
      }
    }

    async function ask({ url, method = 'GET', header = {}, data, timeout, dataType }) {
      if (!url.startsWith(`${base}/`)) {
        phone.fault(`asked another address: ${url}`)
        throw new Error('url not in domain list')
      }
      if (data !== undefined && typeof data !== 'string')
        phone.fault(`${url}: data is ${typeof data}`)
      const headers = { ...header, ...(data === undefined ? {} : { 'Content-Length': Buffer.byteLength(data) }) }
      const got = await exchange(api + url.slice(base.length), { method, headers, body: data, from, timeout })
      return { data: dataType === 'json' ? JSON.parse(got.text) : got.text, statusCode: got.status, header: got.headers }
    }

    async function pay(sheet) {
      if (Object.keys(sheet).sort().join() !== PAYMENT.join() || Object.values(sheet).some(one => typeof one !== 'string'))
        phone.fault(`requestPayment of ${JSON.stringify(sheet)}`)
      if (person.pays === 'cancel')
        throw new Error('cancel')
      if (person.pays === 'fail')
        throw new Error('jsapi has no permission')
      await control('POST', `/wechatpay/prepay/${sheet.package.split('=')[1]}/pay`, { ...sheet, appId, openid: person.openid })
    }

    async function subscribe({ tmplIds }) {
      if (!Array.isArray(tmplIds) || tmplIds.length < 1 || tmplIds.length > 3)
        phone.fault(`requestSubscribeMessage of ${tmplIds?.length} templates`)
      await control('POST', `/wechat/phones/${person.openid}/consents`, { template_ids: tmplIds, accept: person.agrees, times: 1 })
      return Object.fromEntries(tmplIds.map(one => [one, person.agrees ? 'accept' : 'reject']))
    }

    /** Before what is personal: pending until the program has put the guide before the person, and told the answer. */
    async function guide(name) {
      if (!wantsPrivacy)
        return
      if (!onPrivacy)
        throw refuse('privacy permission is not authorized', 104)
      const answer = await new Promise(resolve => onPrivacy(resolve, { referrer: name }))
      if (answer.event === 'agree' && !agreed.has(answer.buttonId))
        phone.fault(`${name}: the button ${answer.buttonId} was not pressed`)
      if (answer.event !== 'agree')
        throw refuse('privacy permission is not authorized', 104)
    }

    const change = how => answering(how, (asked) => {
      try {
        phone.change(how, asked)
      }
      catch (thrown) {
        phone.fault(`${how} ${asked.url ?? ''}: ${thrown.stack}`)
        throw thrown
      }
    })
    const refuse = (text, errno) => Object.assign(new Error(text), { errno })
    const orNothing = (value, text = 'cancel') => {
      if (value === undefined || value === null)
        throw new Error(text)
      return value
    }

    const file = path => orNothing(person.pictures?.[path], 'no such file')

    return {
      calls,
      /** The calls of one interface, as `asked`. */
      asked: name => calls.filter(one => one.name === name).map(one => one.asked),
      kept,
      goOffline: isOff => network({ isConnected: !isOff, networkType: isOff ? 'none' : 'wifi' }),
      phoneNumber: async () => {
        try {
          await guide('button.getPhoneNumber')
        }
        catch ({ message, errno }) {
          return { errMsg: `getPhoneNumber:fail ${message}`, errno }
        }
        return person.agrees
          ? { code: (await control('POST', `/wechat/phones/${person.openid}/phone-code`)).code, errMsg: 'getPhoneNumber:ok' }
          : { errMsg: 'getPhoneNumber:fail user deny', errno: 103 }
      },
      /** The button of that id was pressed, by which the guide is agreed to. */
      agree: (id) => {
        agreed.add(id)
        wantsPrivacy = false
      },
      /** The hospital has declared more than before. */
      wantPrivacyAgain: () => {
        agreed.clear()
        wantsPrivacy = true
      },

      login: answering('login', () => control('POST', `/wechat/phones/${person.openid}/login-code`)),
      request: answering('request', ask),
      requestPayment: answering('requestPayment', pay),
      requestSubscribeMessage: answering('requestSubscribeMessage', subscribe),
      getPrivacySetting: answering('getPrivacySetting', () => ({ needAuthorization: wantsPrivacy, privacyContractName: '《隐私保护指引》' })),
      onNeedPrivacyAuthorization: told => void (onPrivacy = told),
      makePhoneCall: answering('makePhoneCall', () => undefined),
      getSetting: answering('getSetting', ({ withSubscriptions }) => ({
        authSetting: {}, ...(withSubscriptions && person.messages ? { subscriptionsSetting: person.messages } : {}),
      })),
      openSetting: answering('openSetting', () => {
        person.messages = { mainSwitch: true, itemSettings: {} }
        return { authSetting: {} }
      }),
      getRandomValues: answering('getRandomValues', ({ length }) => ({ randomValues: new Uint8Array(randomBytes(length)).buffer })),
      scanCode: answering('scanCode', async () => {
        await guide('scanCode')
        return { result: orNothing(person.scans), scanType: 'QR_CODE' }
      }),
      getFuzzyLocation: answering('getFuzzyLocation', () => {
        if (!phone.program.app.requiredPrivateInfos?.includes('getFuzzyLocation'))
          throw refuse('the api need to be declared in the requiredPrivateInfos field in app.json', 112)
        return orNothing(person.isHere, 'auth deny')
      }),
      openLocation: answering('openLocation', () => undefined),
      chooseMedia: answering('chooseMedia', ({ count }) => ({
        type: 'image',
        tempFiles: orNothing(person.chooses).slice(0, count).map(tempFilePath => ({ tempFilePath, size: 1, fileType: 'image' })),
      })),
      getImageInfo: answering('getImageInfo', ({ src }) => ({ path: src, width: 4, height: 3, type: 'jpeg' })),
      getFileSystemManager: () => ({
        getFileInfo: answering('getFileInfo', ({ filePath }) => ({ size: Buffer.byteLength(file(filePath), 'base64') })),
      }),
      uploadFile: (options) => {
        let progressed = () => undefined
        answering('uploadFile', async ({ url, filePath, name, formData }) => {
          if (!url.startsWith(`${files}/`))
            phone.fault(`uploaded to another address: ${url}`)
          const form = new FormData()
          Object.entries(formData).forEach(([field, value]) => form.append(field, value))
          form.append(name, new Blob([Buffer.from(file(filePath), 'base64')]), 'wx.jpg')
          phone.safely('progress', () => progressed({ progress: 50, totalBytesSent: 1, totalBytesExpectedToSend: 2 }))
          const got = await fetch(url, { method: 'POST', body: form })
          return { statusCode: got.status, data: await got.text() }
        })(options)
        return { onProgressUpdate: told => void (progressed = told) }
      },
      previewImage: answering('previewImage', () => undefined),
      downloadFile: answering('downloadFile', async ({ url }) => {
        if (!url.startsWith(`${files}/`))
          phone.fault(`downloads from another address: ${url}`)
        const { status, text } = await exchange(url, { from })
        return { statusCode: status, tempFilePath: `wxfile://${text.slice(0, 4)}` } // named by how it begins
      }),
      openDocument: answering('openDocument', () => undefined),
      navigateToMiniProgram: answering('navigateToMiniProgram', () => orNothing(person.agrees || null)),
      navigateTo: change('navigateTo'),
      redirectTo: change('redirectTo'),
      switchTab: change('switchTab'),
      navigateBack: change('navigateBack'),
      setKeepScreenOn: answering('setKeepScreenOn', () => undefined),
      setNavigationBarTitle: answering('setNavigationBarTitle', ({ title }) => void (phone.title = title)),
      stopPullDownRefresh: answering('stopPullDownRefresh', () => undefined),
      getNetworkType: answering('getNetworkType', () => ({ networkType: 'wifi' })),
      onNetworkStatusChange: told => void (network = told),

      getStorageSync: name => kept.has(name) ? JSON.parse(kept.get(name)) : '',
      setStorageSync: (name, value) => void kept.set(name, JSON.stringify(value)),
      removeStorageSync: name => void kept.delete(name),
      getAppBaseInfo: () => ({ ...BASE }),
      getDeviceInfo: () => ({ ...DEVICE }),
      getWindowInfo: () => ({ ...WINDOW }),
      getSystemInfoSync: () => ({ ...BASE, ...DEVICE, ...WINDOW }),
      getLaunchOptionsSync: () => ({ path: '', query: {}, scene: 1001 }),
      getAccountInfoSync: () => ({ miniProgram: { appId: 'touristappid', envVersion: 'release' } }),
      preloadAssets: ({ data }) => phone.fault(`asked another address: ${JSON.stringify(data)}`),
      canIUse: () => true,
    }
  }
}
