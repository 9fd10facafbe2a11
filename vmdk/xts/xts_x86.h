/*
 * xts_x86 - what the assembly files of vmdk/xts/ share, among them and with xts_x86.c.
 */
#ifndef VMCRYPT_VMDK_XTS_X86_H
#define VMCRYPT_VMDK_XTS_X86_H

/* Offsets in struct xts_keys. */
#define ENCRYPT 0
#define DECRYPT 240
#define ROUNDS 720

#define XOR3 0x96 /* a ^ b ^ c for vpternlogd */

/* A shuffle of one lane (128 is a zero byte): words of the top three bytes of both quadwords, the
 * topmost first, at bytes 0, 2 and 4, and at 8, 10 and 12. */
#define WORDS .byte 7, 128, 6, 128, 5, 128, 128, 128, 15, 128, 14, 128, 13, 128, 128, 128

#endif
