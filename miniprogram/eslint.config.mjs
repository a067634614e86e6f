import stylistic from '@stylistic/eslint-plugin'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['src/api/schema.d.ts', 'dist/**'] },
  ts.configs.strict,
  vue.configs['flat/recommended'],
  stylistic.configs.customize({ indent: 2, quotes: 'single', semi: false, braceStyle: 'stroustrup', quoteProps: 'as-needed' }),
  { files: ['**/*.vue'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    rules: {
      '@stylistic/max-len': ['error', { code: 140, ignoreTemplateLiterals: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      'max-lines': ['error', 300],
      'no-console': 'error',
      'no-restricted-globals': ['error', { name: 'wx', message: 'WeChat is behind platform/.' }],
      'vue/max-attributes-per-line': 'off',
      'vue/multi-word-component-names': 'off', // a page is named by what it is: home/home.vue
      'vue/require-default-prop': 'off', // what is not given is undefined, and the types say so
      'vue/singleline-html-element-content-newline': 'off',
    },
  },
  { files: ['src/platform/wechat.ts'], rules: { 'no-restricted-globals': 'off' } },
)
