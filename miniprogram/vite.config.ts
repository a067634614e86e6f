import process from 'node:process'
import uni from '@dcloudio/vite-plugin-uni'
import { defineConfig } from 'vite'

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

export default defineConfig({
  plugins: [uni({
    vueOptions: {
      template: {
        compilerOptions: {
          nodeTransforms: process.env.UNI_PLATFORM === 'mp-weixin' ? [rolesOfWeChat as never] : [],
        },
      },
    },
  })],
})
