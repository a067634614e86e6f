/** What a person does in WeChat, by name. Each is given a started phone, and what the test prepared for it. */
import assert from 'node:assert/strict'

const SHEET = ['nonceStr', 'package', 'paySign', 'signType', 'timeStamp']

async function toConfirm(phone, { session }) {
  await phone.tap('预约挂号')
  await phone.tap(session.department_name)
  await phone.sees(session.doctor_name)
  assert.equal(phone.title, session.department_name)
  await phone.tap(new RegExp(`^${session.doctor_name} .*挂号$`))
  await phone.sees(session.doctor_name)
}

/** From the page that offers it: an invented person, proven by the phone's own number. */
async function addPatient(phone, { patient, number }) {
  await phone.tap('先添加就诊人')
  await phone.tap('同意并继续')
  await fillIn(phone, { patient, number })
  await phone.tap('用微信手机号核验')
  await phone.sees('查看完整信息')
  phone.back()
  await phone.sees(`就诊人 **${patient.name.at(-1)}`)
}

/** On the page that adds a patient; then the page of that patient, who is not proven yet. */
async function fillIn(phone, { patient, number }) {
  await phone.sees('与我的关系')
  await phone.fill('姓名', patient.name)
  await phone.fill('证件号码', patient.id_number)
  await phone.fill('手机号码', number)
  await phone.tap(/^同意 /)
  await phone.sees('✓')
  await phone.tap('添加')
  await phone.sees('还需核验')
}

async function toPay(phone, given) {
  await phone.sees('还没有预约')
  await toConfirm(phone, given)
  await addPatient(phone, given)
  await phone.tap('确认挂号 ¥25.00')
}

/** The page's text; whatever can be tapped on it has a name and a role for a screen reader. */
export function readable(phone) {
  for (const { way, name, role } of phone.targets()) {
    if (!name || !(role || way.at(-1).tag === 'wx-button'))
      phone.fault(`${phone.page.blueprint.path}: [${role} ${name}] is not for a screen reader`)
  }
  return phone.text()
}

/** The registration that the page on top shows. */
const shownId = phone => phone.page.self.options.id

export const journeys = {
  /** Signed in without a word, registered, paid, cancelled. */
  async registers(phone, given) {
    await phone.sees('还没有预约')
    assert.equal(phone.wx.asked('login').length, 1)
    assert.deepEqual([...phone.wx.kept.keys()].filter(one => one !== 'hospital'), ['session', 'home:shape'])
    await toPay(phone, given)
    await phone.sees('预约成功')
    const [sheet, ...others] = phone.wx.asked('requestPayment')
    assert.deepEqual(Object.keys(sheet).sort(), SHEET)
    assert.equal(others.length, 0)
    assert.equal(phone.wx.asked('requestSubscribeMessage').length, 1)
    const told = phone.wx.asked('request').filter(one => one.method === 'POST' && one.url.endsWith('/api/messages/subscriptions'))
    assert.deepEqual(told.map(one => JSON.parse(one.data).answers.map(({ answer }) => answer)), [['accept', 'accept', 'accept']])
    const id = shownId(phone)
    await phone.tap('取消挂号')
    await phone.sees('挂号费 ¥25.00 将原路退回')
    await phone.tap('不取消了')
    await phone.tap('取消挂号')
    await phone.tap('确定取消')
    await phone.sees(/取消中|已取消/)
    return { id }
  },

  /** The sheet is closed: the place stays held, and is paid later from the home page. */
  async closesTheSheet(phone, given) {
    given.person.pays = 'cancel'
    await toPay(phone, given)
    await phone.hasCalled('requestPayment', 1)
    await phone.sees(/待支付.*为你保留还剩/)
    const id = shownId(phone)
    while (phone.pages.length > 1)
      phone.back()
    await phone.sees('待支付')
    await phone.tap('去支付')
    given.person.pays = 'thumb'
    await phone.tap('支付 ¥25.00')
    await phone.sees('预约成功')
    assert.equal(phone.wx.asked('requestPayment').length, 2)
    return { id }
  },

  /** The sheet could not take the money: nothing is called paid. */
  async isRefusedByTheSheet(phone, given) {
    given.person.pays = 'fail'
    await toPay(phone, given)
    await phone.hasCalled('requestPayment', 1)
    await phone.tap('支付 ¥25.00')
    await phone.hasCalled('requestPayment', 2)
    await phone.sees(/待支付.*支付 ¥25.00/)
    assert.doesNotMatch(phone.text(), /预约成功|已支付/)
    return { id: shownId(phone) }
  },

  /** The privacy guide: not on the first page, refused, agreed to, and WeChat's own question when it wants it again. */
  async mindsThePrivacyGuide(phone, given) {
    await phone.sees('还没有预约')
    await phone.sees('示范市第一人民医院')
    assert.equal(phone.title, '示范市一院')
    await toConfirm(phone, given)
    assert.equal(phone.wx.asked('getPrivacySetting').length, 0, 'nothing personal has been asked for yet')
    await phone.tap('先添加就诊人')
    await phone.sees('隐私保护提示')
    await phone.tap('查看《隐私政策》')
    await phone.sees('我们这样对待您的个人信息')
    phone.back()
    await phone.tap('不同意')
    await phone.sees('你没有同意隐私政策')
    assert.doesNotMatch(phone.text(), /证件号码　|与我的关系/)
    await phone.tap('拨打医院电话 0571-00000000')
    await phone.hasCalled('makePhoneCall', 1)
    await phone.tap('再看一次，重新选择')
    await phone.tap('同意并继续')
    await phone.sees('与我的关系')
    phone.back()
    await phone.tap('先添加就诊人')
    await phone.sees('与我的关系')
    assert.doesNotMatch(phone.text(), /隐私保护提示/)
    await fillIn(phone, given)
    phone.wx.wantPrivacyAgain()
    const refused = phone.tap('用微信手机号核验')
    await phone.tap('不同意')
    await refused
    await phone.sees('没有同意隐私政策，不能使用微信手机号')
    const agreed = phone.tap('用微信手机号核验')
    await phone.tap('同意并继续')
    await agreed
    await phone.sees('查看完整信息')
    return {}
  },

  /** Several bills are paid together, the e-bill of one is opened, and one is given back. */
  async paysBills(phone, { settle }) {
    await phone.tap('门诊缴费')
    await phone.sees('已选 2 笔')
    await phone.tap('支付 ¥242.50')
    await phone.sees('缴费成功')
    assert.deepEqual(Object.keys(phone.wx.asked('requestPayment')[0]).sort(), SHEET)
    assert.equal(phone.wx.asked('requestSubscribeMessage').length, 1)
    const id = shownId(phone)
    await settle()
    await phone.tap('查看收据和电子票据')
    await phone.sees(/微信单号.*¥42.50/)
    await phone.tap(/^电子票据 ¥42.50/)
    await phone.tap('打开票据（PDF）')
    await phone.hasCalled('openDocument', 1)
    assert.deepEqual(phone.wx.asked('openDocument'), [{ filePath: 'wxfile://%PDF', fileType: 'pdf', showMenu: true }])
    phone.back()
    phone.back()
    await phone.tap(/退费.*检验/)
    await phone.sees('可以在手机上退')
    await phone.tap('确认退费 ¥42.50')
    await phone.sees(/退费中|已退费/)
    assert.equal(phone.wx.asked('requestPayment').length, 1)
    return { id }
  },

  /** The code on a prescription opens its bill; a stranger's opens nothing. */
  async scansAPrescription(phone, { person, code }) {
    await phone.tap('门诊缴费')
    person.scans = 'https://example.com/x'
    await phone.tap('扫处方单上的二维码缴费')
    await phone.tap('同意并继续')
    await phone.sees('不是本院处方码')
    person.scans = code
    await phone.tap('扫处方单上的二维码缴费')
    await phone.sees('项目1')
    await phone.tap('支付 ¥88.00')
    await phone.sees('缴费成功')
    return { id: shownId(phone) }
  },

  /** Every interface of WeChat that the program uses, as it uses it. */
  async usesWeChat(phone, { person, templates, files }) {
    await phone.sees('还没有预约')
    const { host } = phone.program.load('platform/index.js')
    const sheet = { timeStamp: '1', nonceStr: 'n', package: 'prepay_id=none', signType: 'RSA', paySign: 's' }
    person.pays = 'cancel'
    assert.equal(await host.pay(sheet), 'cancelled')
    person.pays = 'fail'
    assert.equal(await host.pay(sheet), 'failed')

    phone.isTouched = true
    assert.deepEqual({ ...await host.askToSend(['a', 'b', 'c', 'd']) }, {}, 'of templates that WeChat does not know')
    assert.deepEqual(phone.wx.asked('requestSubscribeMessage').at(-1), { tmplIds: ['a', 'b', 'c'] })
    assert.deepEqual({ ...await host.askToSend([]) }, {})
    assert.equal(phone.wx.asked('requestSubscribeMessage').length, 1)
    phone.isTouched = true
    assert.deepEqual({ ...await host.askToSend(templates) }, Object.fromEntries(templates.map(one => [one, 'accept'])))
    assert.equal(await host.messageSettings(), null)
    person.messages = { mainSwitch: false, itemSettings: { T: 'reject', U: 'accept', SYS_MSG_TYPE_INTERACTIVE: 'acceptWithAudio', V: 7 } }
    const settings = await host.messageSettings()
    assert.equal(settings.isOn, false)
    assert.deepEqual({ ...settings.kept }, { T: 'reject', U: 'accept', SYS_MSG_TYPE_INTERACTIVE: 'accept' })
    phone.isTouched = true
    await host.openSettings()
    assert.equal((await host.messageSettings()).isOn, true)

    assert.equal(await host.phoneCode({ detail: { code: 'c', errMsg: 'getPhoneNumber:ok' } }), 'c')
    assert.equal(await host.phoneCode({ detail: { errMsg: 'getPhoneNumber:fail user deny' } }), null)
    assert.match(await host.randomHex(16), /^[\da-f]{32}$/)
    assert.equal(host.fontSize(), 16)
    assert.equal(host.device(), 'A phone')

    phone.wx.agree('agree-to-privacy')
    assert.equal(await host.scan(), null)
    person.scans = 'P:1'
    assert.equal(await host.scan(), 'P:1')
    assert.equal(await host.whereAmI(), null)
    person.isHere = { latitude: 30.5, longitude: 114.3 }
    assert.equal(await host.whereAmI(), null, 'not told before app.json asks for it')
    phone.program.app.requiredPrivateInfos = ['getFuzzyLocation']
    assert.deepEqual({ ...await host.whereAmI() }, person.isHere)
    assert.deepEqual([...await host.choosePictures(2)], [])
    person.chooses = ['wxfile://1', 'wxfile://2', 'wxfile://3']
    assert.deepEqual([...await host.choosePictures(2)], ['wxfile://1', 'wxfile://2'])
    person.pictures = { 'wxfile://1': 'AAAA' }
    assert.deepEqual({ ...await host.pictureOf('wxfile://1') }, { type: 'image/jpeg', bytes: 3 })
    await assert.rejects(() => host.pictureOf('wxfile://2'))
    await assert.rejects(() => host.uploadPicture('wxfile://2', { url: `${files}/`, fields: {} }, () => undefined))
    host.showPictures(['https://a/1', 'https://a/2'], 'https://a/2')
    host.showPlace({ latitude: 30.5, longitude: 114.3, name: '门诊楼', address: '1 号' })
    assert.equal(await host.jumpTo('wx1', 'pages/index'), true)

    phone.wx.wantPrivacyAgain()
    assert.equal(await host.wantsPrivacy(), true)
    const asks = new Promise(resolve => host.onPrivacy(resolve))
    const scanned = host.scan()
    const answer = await asks
    answer(false)
    assert.equal(await scanned, null)
    phone.wx.agree('agree-to-privacy')
    assert.equal(await host.wantsPrivacy(), false)
    assert.equal(await host.scan(), 'P:1')
    host.call('120')
    assert.deepEqual(phone.wx.asked('makePhoneCall'), [{ phoneNumber: '120' }])
    person.agrees = false
    assert.equal(await host.jumpTo('wx1', 'pages/index'), false)

    const seen = []
    host.onNetwork(isConnected => seen.push(isConnected))
    phone.wx.goOffline(true)
    phone.wx.goOffline(false)
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.deepEqual(seen.sort(), [false, true, true])
    return {}
  },

  /** A message in WeChat was tapped while nothing was running: signed in without a word, the page it is about. */
  async opensAMessage(phone, { shows, leads }) {
    await phone.sees(shows)
    assert.equal(phone.wx.asked('login').length, 1)
    assert.equal(phone.pages.length, 1)
    if (leads) {
      await phone.tap(leads)
      await phone.sees('预约挂号')
    }
    return {}
  },

  /** Every page opens by its address, and draws. */
  async opensEveryPage(phone, { openings }) {
    await phone.sees('还没有预约')
    const drawn = {}
    for (const path of phone.program.pages.filter(one => !phone.program.tabs.includes(one))) {
      phone.change('navigateTo', { url: `/${path}${openings[path] ? `?${openings[path]}` : ''}` })
      await phone.sees(/[\u4e00-\u9fff]{2}/)
      drawn[path] = readable(phone)
      phone.back()
    }
    for (const path of phone.program.tabs) {
      phone.change('switchTab', { url: `/${path}` })
      await phone.sees(/[\u4e00-\u9fff]{2}/)
      drawn[path] = readable(phone)
    }
    return { drawn }
  },
}
