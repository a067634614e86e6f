/** What components draw, kept as a tree: the same node stays while its place is the same, as WeChat does it. */
import { Component } from './component.mjs'

/** The node for what was drawn, grown from the one that stood there. `owner`: the component whose WXML it is of. */
export function grown(owner, old, drawn) {
  if (old && isSame(old, drawn))
    return renewed(owner, old, drawn)
  if (old)
    gone(old)
  return born(owner, drawn)
}

function isSame(old, drawn) {
  return isText(drawn) ? old.tag === '#text' : old.tag === drawn.tag && old.key === drawn.wxKey && old.branch === drawn.wxVkey
}

function isText(drawn) {
  return drawn === null || typeof drawn !== 'object'
}

function born(owner, drawn) {
  if (isText(drawn))
    return { tag: '#text', text: String(drawn ?? ''), children: [], attrs: {} }
  const node = { tag: drawn.tag, key: drawn.wxKey, branch: drawn.wxVkey, attrs: drawn.attr ?? {}, owner, children: [], guest: null }
  const used = owner.blueprint.uses[drawn.tag.replace(/^wx-/, '')]
  if (used) {
    node.guest = new Component(owner.phone, owner.phone.program.component(used), node)
    node.guest.begin(node.attrs)
  }
  node.children = (drawn.children ?? []).map(one => born(owner, one))
  return node
}

function renewed(owner, node, drawn) {
  if (isText(drawn)) {
    node.text = String(drawn ?? '')
    return node
  }
  node.attrs = drawn.attr ?? {}
  node.guest?.given(node.attrs)
  const old = node.children
  const left = new Set(old)
  const find = (one, number) => old.find((other, at) => left.has(other) && isSame(other, one)
    && (one?.wxKey !== undefined || at === number))
  node.children = (drawn.children ?? []).map((one, number) => {
    const same = find(one, number)
    left.delete(same)
    return same ? renewed(owner, same, one) : born(owner, one)
  })
  left.forEach(gone)
  return node
}

export function gone(node) {
  node.guest?.end()
  node.children.forEach(gone)
}

/**
 * Every node that is shown below one, with the way to it, outermost first: components by what they draw, and what
 * stands in a slot where the slot is.
 */
export function* shown(node, way = []) {
  if (node.attrs.hidden)
    return
  const here = [...way, node]
  yield here
  if (node.guest) {
    if (node.guest.root)
      yield* shown(node.guest.root, here)
  }
  else if (node.tag === 'wx-slot') {
    for (const one of slotted(node.owner.host.children, node.attrs.name ?? ''))
      yield* shown(one, here)
  }
  else {
    for (const one of node.children)
      yield* shown(one, here)
  }
}

function slotted(nodes, name) {
  return nodes.flatMap(one => one.tag === 'virtual' ? slotted(one.children, name) : (one.attrs.slot ?? '') === name ? [one] : [])
}

/** All text that is shown below a node. */
export function textOf(node) {
  let text = ''
  for (const way of shown(node))
    text += way.at(-1).text ?? ''
  return text.replace(/\s+/g, ' ').trim()
}

/** The method that a node names for an event: `{name, isCaught}`. */
export function handler(node, type) {
  for (const [attribute, name] of Object.entries(node.attrs)) {
    const found = /^(bind|catch):?(.+)$/.exec(attribute)
    if (found?.[2] === type && name)
      return { name, isCaught: found[1] === 'catch' }
  }
  return null
}
