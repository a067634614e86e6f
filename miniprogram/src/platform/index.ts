/** The host that this build is for: the other one's code is not in it. */
import type { Host } from './host'
// #ifdef MP-WEIXIN
import { wechat } from './wechat'
// #endif
// #ifndef MP-WEIXIN
import { browser } from './browser'
// #endif

export type { Answers, Closed, Host, MessageSettings, PaymentSheet, Place } from './host'

let chosen: Host
// #ifdef MP-WEIXIN
chosen = wechat
// #endif
// #ifndef MP-WEIXIN
chosen = browser
// #endif

export const host: Host = chosen
