/** What a person does in WeChat when they write to the hospital. */
import assert from 'node:assert/strict'
import { readable } from './journeys.mjs'

export const feedbackJourneys = {
  /** A word to the hospital with a picture, kept while it is written, and followed. */
  async complains(phone, { person, photo }) {
    person.chooses = ['wxfile://1.jpg']
    person.pictures = { 'wxfile://1.jpg': photo }
    await phone.sees('还没有预约')
    phone.change('navigateTo', { url: '/feedback/complaints' })
    await phone.tap('写给医院')
    await phone.fill('具体内容', '卫生间的水龙头坏了好几天，地上全是水。')
    const added = phone.tap('添加图片')
    await phone.tap('同意并继续')
    await added
    await phone.sees(/第 1 张 (✓ 已添加|检查中)/)
    phone.back()
    await phone.tap('写给医院')
    await phone.sees(/第 1 张 (✓ 已添加|检查中)/)
    await phone.tap('提交')
    await phone.sees(/已收到.*编号/)
    assert.equal(phone.wx.asked('requestSubscribeMessage').length, 1)
    assert.equal(phone.wx.asked('uploadFile').length, 1)
    readable(phone)
    return {}
  },
}
