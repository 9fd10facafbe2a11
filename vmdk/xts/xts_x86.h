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

/*
 * Shuffles, one lane each (128 is a zero byte). PACK puts the top byte, the top two and the top
 * three bytes of a lane at bytes 0, 2 and 5; TAKEn fetches the product of the nth field with 0x87,
 * which is one byte longer than the field.
 */
#define PACK .byte 15, 128, 14, 15, 128, 13, 14, 15, 128, 128, 128, 128, 128, 128, 128, 128
#define TAKE1 .byte 0, 1, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128
#define TAKE2 .byte 2, 3, 4, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128
#define TAKE3 .byte 5, 6, 7, 8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128

#endif
