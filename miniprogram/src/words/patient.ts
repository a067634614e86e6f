/** People in words. */
export const RELATIONS = { SELF: '本人', SPOUSE: '配偶', CHILD: '子女', PARENT: '父母', OTHER: '其他' } as const

export const DOCUMENTS = {
  ID_CARD: '居民身份证',
  HK_MACAU_PERMIT: '港澳居民来往内地通行证',
  TAIWAN_PERMIT: '台湾居民来往大陆通行证',
  PERMANENT_RESIDENT: '外国人永久居留身份证',
  PASSPORT: '护照',
  BIRTH_CERTIFICATE: '出生医学证明',
  NONE: '暂无证件（新生儿）',
} as const

export const SEXES = { MALE: '男', FEMALE: '女' } as const
