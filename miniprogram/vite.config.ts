import process from 'node:process'
import uni from '@dcloudio/vite-plugin-uni'
import { defineConfig, loadEnv } from 'vite'
import { version } from './package.json'

interface Named {
  type: number
  name: string
  arg?: { content: string }
}

const ELEMENT = 1
const ATTRIBUTE = 6

/** Pages say `role`, as the browser knows it; WeChat calls the same `aria-role`. */
function rolesOfWeChat(node: { type: number, props?: Named[] }): void {
  if (node.type !== ELEMENT)
    return
  for (const one of node.props ?? []) {
    if (one.type === ATTRIBUTE && one.name === 'role')
      one.name = 'aria-role'
    else if (one.type !== ATTRIBUTE && one.arg?.content === 'role')
      one.arg.content = 'aria-role'
  }
}

/** Where the functions answer. Pages in WeChat have no address of their own, so a build for it must name it. */
function checkBase(mode: string): void {
  const base = loadEnv(mode, process.cwd(), 'VITE_').VITE_API_BASE ?? ''
  const wanted = mode === 'production' ? /^https:\/\/[^/\s]+(\/[^/\s]+)*$/ : /^https?:\/\/[^/\s]+(\/[^/\s]+)*$/
  if (process.env.UNI_PLATFORM === 'mp-weixin' && !wanted.test(base))
    throw new Error(`VITE_API_BASE must be the https address of the functions, such as https://api.hospital.example; it is "${base}"`)
}

/**
 * uni-app's runtime for WeChat, with two things otherwise. It fetches a picture from its maker three seconds after the
 * start: a hospital's patients are no maker's business. And it leaves a component an element of its own around what it
 * draws, where styles end: without, margins and classes work as they do in a browser.
 */
const otherwise = {
  name: 'hospital:wechat-runtime',
  transform(code: string, id: string) {
    return id.endsWith('/uni-mp-weixin/dist/uni.mp.esm.js') ? CHANGES.reduce(changed, code) : undefined
  },
}
const CHANGES: [string, string][] = [
  ['    preloadAsset();\n', ''],
  ['        addGlobalClass: true,\n', `        addGlobalClass: true,
        ...(isPageInProject ? {} : { virtualHost: true, styleIsolation: 'shared' }),\n`],
]

function changed(code: string, [was, is]: [string, string]): string {
  if (code.split(was).length !== 2)
    throw new Error(`uni-app's runtime has another version, without "${was.trim()}"`)
  return code.replace(was, is)
}

export default defineConfig(({ mode }) => {
  checkBase(mode)
  return {
    define: { __VERSION__: JSON.stringify(version) },
    plugins: [otherwise, uni({
      vueOptions: {
        template: {
          compilerOptions: {
            nodeTransforms: process.env.UNI_PLATFORM === 'mp-weixin' ? [rolesOfWeChat as never] : [],
          },
        },
      },
    })],
  }
})
