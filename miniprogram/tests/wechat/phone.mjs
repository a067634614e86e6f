/** A phone with the mini-program open: its pages, and a finger that finds things as people do, by their names. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Component } from './component.mjs'
import { Program } from './program.mjs'
import { gone, handler, shown, textOf } from './tree.mjs'

const WAITS = 20_000 // ms until something is there; a function may start cold
const MOST_PAGES = 10

export class Phone {
  /** `wx`: what WeChat's interface is to the program, made by `interfaceOf(phone)`. */
  constructor(folder, interfaceOf) {
    this.faults = []
    this.pages = []
    this.tabs = new Map()
    this.app = null
    this.title = ''
    this.taps = 0
    this.isTouched = false // whether what runs now is still a tap's own doing
    const error = (...values) => this.fault(`console.error: ${values.map(String).join(' ')} ${values[0]?.stack ?? ''}`)
    this.wx = interfaceOf(this)
    this.program = new Program(folder, {
      wx: this.wx,
      console: { log: () => undefined, info: () => undefined, warn: () => undefined, error },
      App: options => this.app = options,
      getApp: () => this.app ?? undefined,
      getCurrentPages: () => this.pages.map(one => one.self),
    })
    process.on('unhandledRejection', reason => this.fault(`unhandled: ${reason?.stack ?? JSON.stringify(reason)}`))
  }

  fault(text) {
    this.faults.push(text)
  }

  safely(where, does) {
    try {
      return does()
    }
    catch (thrown) {
      this.fault(`${where}: ${thrown?.stack ?? thrown}`)
      return undefined
    }
  }

  later(does) {
    setImmediate(() => this.safely('later', does))
  }

  // -- the program and its pages -------------------------------------------------------------------
  /** WeChat starts the program: its first page, or the one that a message or a code opens. */
  start(url = `/${this.program.app.pages[0]}`) {
    this.program.load('app.js')
    const scene = { path: url.slice(1), query: {}, scene: 1001, referrerInfo: {} }
    this.safely('onLaunch', () => this.app.onLaunch?.(scene))
    this.safely('onShow', () => this.app.onShow?.(scene))
    this.#show(this.#page(url))
    return this
  }

  #page(url) {
    const [path, question = ''] = url.replace(/^\//, '').split('?')
    if (!this.program.pages.includes(path))
      throw new Error(`there is no page ${path}`)
    const kept = this.tabs.get(path)
    if (kept)
      return kept
    // the values stay as they were written: WeChat decodes none
    const pairs = question.split('&').filter(Boolean)
    const query = Object.fromEntries(pairs.map(pair => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]))
    const page = new Component(this, this.program.component(path, true), null, { path, query })
    this.pages.push(page)
    this.title = this.program.json(`${path}.json`).navigationBarTitleText ?? ''
    page.begin({})
    this.event(page, 'onLoad', query)
    if (this.program.tabs.includes(path))
      this.tabs.set(path, page)
    return page
  }

  #show(page) {
    if (!this.pages.includes(page))
      this.pages.push(page)
    this.event(page, 'onShow')
  }

  #close(page) {
    this.pages.splice(this.pages.indexOf(page), 1)
    if ([...this.tabs.values()].includes(page))
      return
    this.event(page, 'onUnload')
    page.end()
  }

  event(page, name, ...values) {
    this.safely(`${page.blueprint.path} ${name}`, () => page.self[name]?.(...values))
  }

  get page() {
    return this.pages.at(-1)
  }

  /** What a person pulls down or scrolls to the end. */
  gesture(name) {
    this.event(this.page, name)
    return this
  }

  /** How WeChat changes pages. Raises when it would not. */
  change(how, { url = '', delta = 1 }) {
    if (how === 'navigateBack') {
      if (this.pages.length === 1)
        throw new Error('cannot navigate back at first page')
      for (let left = Math.min(delta, this.pages.length - 1); left > 0; left--)
        this.#close(this.page)
      this.#show(this.page)
      return
    }
    if ((how === 'switchTab') !== this.program.tabs.includes(url.replace(/^\//, '').split('?')[0]))
      throw new Error('switchTab leads to tabs and nowhere else')
    if (how === 'navigateTo' && this.pages.length >= MOST_PAGES)
      throw new Error('webview count limit exceed')
    this.event(this.page, 'onHide')
    if (how === 'redirectTo')
      this.#close(this.page)
    if (how === 'switchTab') {
      while (this.pages.length)
        this.#close(this.page)
    }
    this.#show(this.#page(url))
  }

  // -- events --------------------------------------------------------------------------------------
  /** The method of whoever wrote the node, for an event of this node alone. */
  call(node, type, detail, target = node) {
    const found = handler(node, type)
    if (!found)
      return false
    const data = one => ({ id: one.attrs.id ?? '', dataset: {} })
    const event = { type, detail, target: data(target), currentTarget: data(node), timeStamp: Date.now() }
    const does = node.owner.self[found.name]
    if (typeof does !== 'function')
      this.fault(`${node.owner.blueprint.path}: ${type} names ${found.name}, which is no method`)
    else
      this.safely(`${node.owner.blueprint.path} ${type}`, () => does.call(node.owner.self, event))
    return found.isCaught
  }

  /** From the inside out, as a tap goes. */
  #bubble(way, type, detail) {
    for (const node of [...way].reverse()) {
      if (this.call(node, type, detail, way.at(-1)))
        return
    }
  }

  // -- looking and touching ------------------------------------------------------------------------
  text() {
    return this.page?.root ? textOf(this.page.root) : ''
  }

  /** Every `way` to what can be tapped, with its name and role. */
  targets() {
    if (!this.page?.root)
      return []
    return [...shown(this.page.root)].flatMap((way) => {
      const node = way.at(-1)
      const isTarget = !node.guest && (handler(node, 'tap') || handler(node, 'getphonenumber'))
      return isTarget ? [{ way, name: node.attrs.ariaLabel || textOf(node), role: node.attrs.ariaRole }] : []
    })
  }

  async #until(what, look) {
    for (const end = Date.now() + WAITS; Date.now() < end && !this.faults.length; await sleep(20)) {
      const found = look()
      if (found)
        return found
    }
    throw new Error(`${what}\nnot on ${this.page?.blueprint.path}:\n${this.text()}\n${
      this.targets().map(one => `[${one.role} ${one.name}]`).join(' ')}\n${this.faults.join('\n')}`)
  }

  /** Waits until a text, or what a pattern finds, is there. */
  async sees(text) {
    const is = typeof text === 'string' ? () => this.text().includes(text) : () => text.test(this.text())
    await this.#until(`sees ${text}`, is)
  }

  /** Waits until an interface of WeChat was called so often. */
  async hasCalled(name, times) {
    await this.#until(`${times} calls of ${name}`, () => this.wx.asked(name).length >= times)
  }

  /** Presses what has that whole name, or a name that a pattern finds. WeChat's own buttons ask first. */
  async tap(name) {
    const is = typeof name === 'string' ? one => one.name === name : one => name.test(one.name)
    const { way } = await this.#until(`tap ${name}`, () => this.targets().find(
      one => is(one) && !isTrue(one.way.at(-1).attrs.disabled) && !isTrue(one.way.at(-1).attrs.ariaDisabled)))
    const node = way.at(-1)
    this.taps++
    this.isTouched = true
    if (node.attrs.openType === 'agreePrivacyAuthorization') {
      this.wx.agree(node.attrs.id)
      this.call(node, 'agreeprivacyauthorization', {})
    }
    if (node.attrs.openType === 'getPhoneNumber')
      this.call(node, 'getphonenumber', await this.wx.phoneNumber())
    this.#bubble(way, 'tap', { x: 1, y: 1 })
  }

  /** Types into the field of that name. */
  async fill(label, value) {
    const find = () => [...shown(this.page.root)].find(way => way.at(-1).attrs.ariaLabel === label && handler(way.at(-1), 'input'))
    const way = await this.#until(`fill ${label}`, find)
    this.call(way.at(-1), 'input', { value, cursor: value.length })
  }

  back() {
    this.change('navigateBack', {})
  }

  /** All pages are closed. */
  end() {
    const pages = new Set([...this.pages, ...this.tabs.values()])
    pages.forEach(page => page.root && gone(page.root))
  }
}

function isTrue(value) {
  return value !== undefined && value !== false && value !== 'false' && value !== ''
}
