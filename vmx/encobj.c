/* encobj - see encobj.h. */
#include "vmx/encobj.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/reader.h"
#include "keywrap/seal.h"

enum {
    MAGIC = 0x8943dd9e,
    HEADER_BYTES = 4096,
    IV_BYTES = 16,
    MAC_BYTES = 16, /* HMAC-SHA-1-128 */
    DATA_MAX = 1 << 20,
};

struct header {
    uint32_t data_bytes;
    uint64_t size;
};

/* What the MAC may cover, most likely first. */
enum coverage { PLAINTEXT, CIPHERTEXT, CIPHERTEXT_AND_IV, COVERAGES };

static const char *const coverage_names[COVERAGES] = {
    [PLAINTEXT] = "HMAC-SHA-1-128 of each page's plaintext",
    [CIPHERTEXT] = "HMAC-SHA-1-128 of each page's ciphertext",
    [CIPHERTEXT_AND_IV] = "HMAC-SHA-1-128 of each page's ciphertext and IV",
};

bool encobj_recognise(const void *data, size_t length)
{
    struct reader r = reader_over(data, length);
    return reader_u32(&r) == (uint32_t)MAGIC;
}

static bool read_header(int fd, const char *path, struct header *header, struct error *error)
{
    uint8_t bytes[32];
    if (!file_read_at(fd, path, bytes, sizeof bytes, 0, error))
        return false;
    struct reader r = reader_over(bytes, sizeof bytes);
    uint32_t magic = reader_u32(&r);
    reader_u32(&r); /* version: 1 and 2 differ in what the plaintext is, not in the pages */
    header->data_bytes = reader_u32(&r);
    uint32_t iv_bytes = reader_u32(&r);
    uint32_t mac_bytes = reader_u32(&r);
    reader_u32(&r);
    header->size = reader_u64(&r);
    if (magic == (uint32_t)MAGIC && header->data_bytes > 0 && header->data_bytes <= DATA_MAX &&
        header->data_bytes % 16 == 0 && iv_bytes == IV_BYTES && mac_bytes == MAC_BYTES)
        return true;
    error_set(error, ERROR_DAMAGED,
              "encrypted container with pages of %u + %u + %u bytes, which is no layout we know",
              header->data_bytes, iv_bytes, mac_bytes);
    return error_at(error, path, 8);
}

static bool mac_holds(const struct secret *key, enum coverage coverage, const uint8_t *page,
                      const uint8_t *plain, size_t data_bytes)
{
    struct error ignored = ERROR_INIT;
    uint8_t mac[32];
    size_t length = coverage == CIPHERTEXT_AND_IV ? data_bytes + IV_BYTES : data_bytes;
    return seal_hmac(key, SEAL_HMAC_SHA1_128, coverage == PLAINTEXT ? plain : page, length, mac,
                     &ignored) &&
           CRYPTO_memcmp(mac, page + data_bytes + IV_BYTES, MAC_BYTES) == 0;
}

/* Find the rule on the first page, hold later pages to it. */
static bool check_page(const struct secret *key, const uint8_t *page, const uint8_t *plain,
                       size_t data_bytes, enum coverage *coverage, struct error *error)
{
    if (*coverage != COVERAGES)
        return mac_holds(key, *coverage, page, plain, data_bytes) ||
               error_set(error, ERROR_DAMAGED, "the MAC of this page does not hold");
    for (int c = PLAINTEXT; c < COVERAGES; c++) {
        if (mac_holds(key, c, page, plain, data_bytes)) {
            *coverage = c;
            return true;
        }
    }
    return error_set(error, ERROR_NO_KEY,
                     "the data file key does not fit, or the page MAC follows a rule we do not "
                     "know; nothing is decrypted unproved");
}

static size_t page_bytes_of(const struct header *header)
{
    return (size_t)header->data_bytes + IV_BYTES + MAC_BYTES;
}

/* Read, decrypt and check the page at OFFSET: its ciphertext comes first in WORK, its plaintext
 * behind the whole page. */
static bool read_page(int fd, const char *path, const struct secret *key,
                      const struct header *header, struct secret *work, uint64_t offset,
                      enum coverage *coverage, struct error *error)
{
    size_t data_bytes = header->data_bytes, page_bytes = page_bytes_of(header);
    uint8_t *page = work->data, *plain = page + page_bytes;
    if (!file_read_at(fd, path, page, page_bytes, offset, error) ||
        !seal_cbc(false, key, page + data_bytes, page, data_bytes, plain, error))
        return false;
    return check_page(key, page, plain, data_bytes, coverage, error) ||
           error_at(error, path, offset);
}

static bool decrypt_pages(int fd, const char *path, const struct secret *key,
                          const struct header *header, struct secret *work, struct file_output *out,
                          const struct progress *progress, enum coverage *coverage,
                          struct error *error)
{
    enum { PROGRESS_PAGES = 4096 };
    size_t data_bytes = header->data_bytes, page_bytes = page_bytes_of(header);
    const uint8_t *plain = work->data + page_bytes;
    uint64_t offset = HEADER_BYTES;
    for (uint64_t done = 0; done < header->size; done += data_bytes, offset += page_bytes) {
        uint64_t left = header->size - done;
        if (done / data_bytes % PROGRESS_PAGES == 0 &&
            !progress_update(progress, done, header->size))
            return error_set(error, ERROR_FAILED, "interrupted");
        if (!read_page(fd, path, key, header, work, offset, coverage, error))
            return false;
        if (!file_write_at(out->fd, out->partial, plain, left < data_bytes ? left : data_bytes,
                           done, error))
            return false;
    }
    return true;
}

static struct secret *new_work(const struct header *header, struct error *error)
{
    return secret_new(page_bytes_of(header) + header->data_bytes, error);
}

static void tell(const struct header *header, enum coverage coverage, struct encobj_result *result)
{
    result->size = header->size;
    result->rule = coverage == COVERAGES ? "nothing to cover" : coverage_names[coverage];
}

bool encobj_decrypt(int fd, const char *path, const struct secret *key, struct file_output *out,
                    const struct progress *progress, struct encobj_result *result,
                    struct error *error)
{
    struct header header;
    if (!read_header(fd, path, &header, error))
        return false;
    struct secret *work = new_work(&header, error);
    enum coverage coverage = COVERAGES;
    bool ok = work != NULL &&
              decrypt_pages(fd, path, key, &header, work, out, progress, &coverage, error);
    secret_free(work);
    tell(&header, coverage, result);
    return ok;
}

bool encobj_prove(int fd, const char *path, const struct secret *key, struct encobj_result *result,
                  struct error *error)
{
    struct header header;
    if (!read_header(fd, path, &header, error))
        return false;
    struct secret *work = new_work(&header, error);
    enum coverage coverage = COVERAGES;
    bool ok = work != NULL && (header.size == 0 || read_page(fd, path, key, &header, work,
                                                             HEADER_BYTES, &coverage, error));
    secret_free(work);
    tell(&header, coverage, result);
    return ok;
}
