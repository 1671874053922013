/*
 * The functions of the terminal driver (读写终端接口, LD/T 33), as programs of the field call them.
 *
 * Every function returns 0, or a negative code of the standard's table; text goes to pOutInfo: the data, or the
 * description of the failure. Fields end with '|', the last one too. pOutInfo must have the size named here, the
 * ending zero included; nothing is ever written beyond it. A null pointer is -14.
 *
 * The work is done by "sscard driver serve"; PROTOCOL.md says how. The environment says where and how:
 *
 *   SSCARD_DRIVER          where it listens: the path of a Unix socket, or tcp:PORT on this machine.
 *                          Else $XDG_RUNTIME_DIR/sscard-driver, $HOME/.sscard-driver; on Windows tcp:35980.
 *   SSCARD_DRIVER_START    a command that starts it where nobody listens (not on Windows), for example:
 *                          sscard driver serve card.json --pins 123456 --idle 5
 *   SSCARD_DRIVER_TIMEOUT  seconds a function may take, PIN entry included; 180 unless given
 *   SSCARD_DRIVER_CHARSET  the encoding of all text: GBK unless given, as in the field, or UTF-8
 *
 * Failures of its own: -5 the server could not be started; -11 nobody listens, or the connection broke; -4 no
 * answer in time; -13 a server of another version; -15 an answer that is none; -42 a parameter is too long.
 * After -4, -11 and -15 the connection is closed, and a group of HSM steps is over.
 *
 * Any thread may call any function; one after the other has its turn. A process is one terminal to the server: the
 * steps of an HSM group (..._Step1 to the last) belong together, and any other function in between ends the group,
 * whichever thread calls it. A child after fork() is another terminal.
 */
#ifndef SSCARDDRIVER_H
#define SSCARDDRIVER_H

#if defined(_WIN32)
#define SSCARD_CALL __stdcall
#if defined(SSCARD_BUILD)
#define SSCARD_API __declspec(dllexport)
#else
#define SSCARD_API __declspec(dllimport)
#endif
#else
#define SSCARD_CALL
#define SSCARD_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* iType: 1 contact, 2 contactless, 3 contact first, 4 contactless first. iAuthType: 1 PIN, 2 key. */

/* Basic data (基本信息). pOutInfo 1024; pKey up to 66 characters. */
SSCARD_API long SSCARD_CALL iReadCardBas(int iType, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReadCardBas_HSM_Step1(int iType, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReadCardBas_HSM_Step2(char *pKey, char *pOutInfo);

/* Files. pOutInfo 20480 where data are read, else 1024; pCardInfo 128, pFileAddr 1024, pWriteData 20480, pKey 32. */
SSCARD_API long SSCARD_CALL iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReadCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReadCard_HSM_Step2(char *pKey, char *pOutInfo);
SSCARD_API long SSCARD_CALL iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData, char *pOutInfo);
SSCARD_API long SSCARD_CALL iWriteCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
SSCARD_API long SSCARD_CALL iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo);

/* PIN: verify (校验), change (修改), reset (重置), unblock (解锁). pOutInfo 512; 1024 in steps 2 and 3. */
SSCARD_API long SSCARD_CALL iVerifyPIN(int iType, char *pOutInfo);
SSCARD_API long SSCARD_CALL iChangePIN(int iType, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReloadPIN(int iType, char *pCardInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReloadPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReloadPIN_HSM_Step2(char *pKey, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReloadPIN_HSM_Step3(char *pKey, char *pOutInfo);
SSCARD_API long SSCARD_CALL iUnblockPIN(int iType, char *pCardInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iUnblockPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iUnblockPIN_HSM_Step2(char *pKey, char *pOutInfo);
SSCARD_API long SSCARD_CALL iUnblockPIN_HSM_Step3(char *pKey, char *pOutInfo);

/* Purchase (医疗消费). pOutInfo 512, 1024 in step 2, 2048 for the records; pPayInfo 512, pKey 128. */
SSCARD_API long SSCARD_CALL iDoDebit(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iDoDebit_HSM_Step1(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
SSCARD_API long SSCARD_CALL iDoDebit_HSM_Step2(char *pKey, char *pOutInfo);
SSCARD_API long SSCARD_CALL iReadDebitRecord(int iType, char *pOutInfo);

#ifdef __cplusplus
}
#endif

#endif
