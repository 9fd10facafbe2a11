/*
 * xts_vaes512 - AES-XTS over 512-byte chunks, VAES on 512-bit registers (AVX-512F, BW, VL).
 *
 * A chunk is 8 registers of 4 blocks, all in flight at once, which hides the latency of vaesdec.
 * All round keys stay in registers. The tweaks of a chunk, T * x^j for j = 0..31, are made from
 * its base T while the chunk before is in its rounds, and go through memory (L1).
 *
 *   A0 = T * x^(0..3), A1 = T * x^(4..7)   one lane each. Bits shifted out at the top, at most 7,
 *                                          come back times 0x87 (x^7 + x^2 + x + 1).
 *   A0 and A1 times x^8, x^16, x^24        a byte further each time. The bytes that will leave in
 *                                          all three steps are known from the start: of both
 *                                          vectors they are multiplied together, a word each.
 *
 * Times 0x87 is three shifts and xors. vpclmulqdq would be one instruction, but on Zen 4 it takes
 * the place of a vaesdec, while shuffles, shifts by bits and additions are nearly free. A doubling
 * is an addition, since Intel shifts where it does the rounds.
 */
#if defined(__x86_64__)

#include "vmdk/xts/xts_x86.h"

    .section .rodata.xts_vaes512, "a", @progbits
    .balign 64
.Lleft0:  .quad 0, 0, 1, 1, 2, 2, 3, 3
.Lleft4:  .quad 4, 4, 5, 5, 6, 6, 7, 7
.Lright0: .quad 64, 64, 63, 63, 62, 62, 61, 61 /* a shift by 64 or more gives 0 */
.Lright4: .quad 60, 60, 59, 59, 58, 58, 57, 57
.Lwords:
    .rept 4
    WORDS
    .endr
    .irp at, 0, 2, 4, 8, 10, 12 /* one of these words alone */
.Ltake\at:
    .rept 4
    .byte \at, \at + 1
    .fill 14, 1, 128
    .endr
    .endr

/* zmm0-7 data, zmm8-22 round keys (zmm8-18 for AES-128), zmm23-30 tweaks in the making. */
#define BASE %zmm23
#define A0 %zmm24
#define A1 %zmm25
#define P0 %zmm26
#define P1 %zmm27
#define S %zmm28
#define U %zmm29
#define V %zmm30

/* KEYS is taken over by THIS, where the tweaks of the chunk at hand are. */
#define KEYS %rdi
#define BASES %rsi
#define DST %rdx
#define SRC %rcx
#define CHUNKS %r8
#define NEXT %r9
#define THIS %rdi

/* A times x^8, with the word of S at byte TAKE, and out at AT. */
.macro byte_further a take at
    vpslldq $1, \a, \a
    vpshufb .Ltake\take(%rip), S, V
    vpxord V, \a, \a
    vmovdqa64 \a, \at*64(NEXT)
.endm

/* The tweaks of the next chunk, in 7 steps that can be strewn between the rounds. A few bursts of
 * six to eight instructions disturb the rounds less than the same ones strewn singly. */
.macro step n
.if \n == 0 /* the bits out of both high quadwords, side by side in one quadword */
    vbroadcasti32x4 (BASES), BASE
    add $16, BASES
    vpsrlvq .Lright0(%rip), BASE, P0
    vpsrlvq .Lright4(%rip), BASE, P1
    vpunpckhdq P0, P1, S
    vpaddd S, S, U
    vpaddd U, U, V
.elseif \n == 1 /* times 0x87 */
    vpternlogd $XOR3, S, U, V
    vpslld $7, S, S
    vpxord V, S, S
    vpsllvq .Lleft0(%rip), BASE, A0
    vpsllvq .Lleft4(%rip), BASE, A1
.elseif \n == 2 /* into the low dword: a product; into the high quadword: what left the low one */
    vshufps $0x4d, P0, S, P0
    vshufps $0x48, P1, S, P1
    vpxord P0, A0, A0
    vpxord P1, A1, A1
    vmovdqa64 A0, 0*64(NEXT)
    vmovdqa64 A1, 1*64(NEXT)
    vpunpckhqdq A1, A0, S
    vpshufb .Lwords(%rip), S, S
.elseif \n == 3 /* times 0x87 */
    vpaddw S, S, U
    vpaddw U, U, V
    vpternlogd $XOR3, S, U, V
    vpsllw $7, S, S
    vpxord V, S, S
.elseif \n == 4
    byte_further A0, 0, 2
    byte_further A1, 8, 3
.elseif \n == 5
    byte_further A0, 2, 4
    byte_further A1, 10, 5
.elseif \n == 6
    byte_further A0, 4, 6
    byte_further A1, 12, 7
.endif
.endm

/* The first AddRoundKey and the tweak in one go. */
.macro first n
    vmovdqa64 \n*64(THIS), %zmm\n
    vpternlogd $XOR3, \n*64(SRC), %zmm8, %zmm\n
.endm

.macro round op key s=-1
    \op \key, %zmm0, %zmm0
    \op \key, %zmm1, %zmm1
    \op \key, %zmm2, %zmm2
    step \s
    \op \key, %zmm3, %zmm3
    \op \key, %zmm4, %zmm4
    \op \key, %zmm5, %zmm5
    \op \key, %zmm6, %zmm6
    \op \key, %zmm7, %zmm7
.endm

/* The last AddRoundKey and the tweak in one go. */
.macro last op key n
    vpxord \n*64(THIS), \key, V
    \op V, %zmm\n, %zmm\n
    vmovdqu64 %zmm\n, \n*64(DST)
.endm

.macro load_key n offset
    vbroadcasti32x4 \offset(KEYS), %zmm\n
.endm

/* LAST is the register of the last round key. */
.macro begin last schedule
    load_key 8, \schedule+0x00
    load_key 9, \schedule+0x10
    load_key 10, \schedule+0x20
    load_key 11, \schedule+0x30
    load_key 12, \schedule+0x40
    load_key 13, \schedule+0x50
    load_key 14, \schedule+0x60
    load_key 15, \schedule+0x70
    load_key 16, \schedule+0x80
    load_key 17, \schedule+0x90
    load_key 18, \schedule+0xa0
.if \last == 22
    load_key 19, \schedule+0xb0
    load_key 20, \schedule+0xc0
    load_key 21, \schedule+0xd0
    load_key 22, \schedule+0xe0
.endif
    .irp n, 0,1,2,3,4,5,6
    step \n
    .endr
    mov NEXT, THIS
    add $512, NEXT
    .balign 64
1:
    .irp n, 0,1,2,3,4,5,6,7
    first \n
    .endr
.endm

.macro end oplast key
    .irp n, 0,1,2,3,4,5,6,7
    last \oplast, \key, \n
    .endr
    xchg THIS, NEXT
    add $512, SRC
    add $512, DST
    dec CHUNKS
    jnz 1b
    jmp .Lleave
.endm

.macro kernel name op oplast schedule
    .globl \name
    .hidden \name
    .type \name, @function
    .balign 64
\name:
    .cfi_startproc
    cmpl $14, ROUNDS(KEYS)
    jne .Lshort_\name

    begin 22, \schedule
    round \op, %zmm9, 0
    round \op, %zmm10
    round \op, %zmm11, 1
    round \op, %zmm12
    round \op, %zmm13, 2
    round \op, %zmm14
    round \op, %zmm15, 3
    round \op, %zmm16
    round \op, %zmm17, 4
    round \op, %zmm18
    round \op, %zmm19, 5
    round \op, %zmm20
    round \op, %zmm21, 6
    end \oplast, %zmm22

.Lshort_\name:
    begin 18, \schedule
    round \op, %zmm9, 0
    round \op, %zmm10, 1
    round \op, %zmm11, 2
    round \op, %zmm12
    round \op, %zmm13, 3
    round \op, %zmm14, 4
    round \op, %zmm15, 5
    round \op, %zmm16
    round \op, %zmm17, 6
    end \oplast, %zmm18
    .cfi_endproc
    .size \name, . - \name
.endm

    .text
    kernel xts_vaes512_encrypt, vaesenc, vaesenclast, ENCRYPT
    kernel xts_vaes512_decrypt, vaesdec, vaesdeclast, DECRYPT

/* No key is left in a register. */
    .type .Lleave, @function
.Lleave:
    .cfi_startproc
    vzeroall
    .irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vpxord %xmm\n, %xmm\n, %xmm\n
    .endr
    ret
    .cfi_endproc
    .size .Lleave, . - .Lleave

#endif
    .section .note.GNU-stack, "", @progbits
