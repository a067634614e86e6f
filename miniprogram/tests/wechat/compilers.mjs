/** WeChat's own compilers on a build's folder: what they refuse fails here with its file and line. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
const wcc = require('miniprogram-compiler/src/wcc')
const wcsc = require('miniprogram-compiler/src/wcsc')
const ROOM = { maxBuffer: 64 * 1024 * 1024 }

/** All files below a folder with one ending, as paths from it, without the ending. */
export function filesOf(folder, ending) {
  const all = readdirSync(folder, { recursive: true }).map(String)
  return all.filter(one => one.endsWith(ending)).map(one => one.slice(0, -ending.length)).sort()
}

/**
 * `markup(folder)(path)(data)`: what WeChat draws of a component, as a tree of `{tag, attr, children}`; attributes'
 * names are in camel case. Raises.
 */
export function markup(folder) {
  const code = wcc(folder, filesOf(folder, '.wxml'), [], ROOM)
  const draw = new Function('window', 'global', `${code}; return $gwx`)({ __webview_engine_version__: 0.02 }, {})
  return (path) => {
    const template = draw(`${path}.wxml`)
    if (typeof template !== 'function')
      throw new Error(`${join(folder, path)}.wxml is not there`)
    return template
  }
}

/** Raises when a style sheet is none. */
export function styles(folder) {
  const answer = wcsc(folder, filesOf(folder, '.wxss'), ROOM)
  if (answer instanceof Error)
    throw answer
}
